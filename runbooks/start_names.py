"""Names of variables that decide how programs are found, loaded and started: nobody's to set but the supervisor's."""

import re

_NAMES = re.compile(
    r"PATH|HOME|PWD|OLDPWD|TMPDIR|SHELL|ENV|IFS|CDPATH|SHELLOPTS|BASHOPTS|GLOBIGNORE|PS[0-4]|PROMPT_COMMAND|ZDOTDIR|INPUTRC|"
    # Programs that programs start for a person.
    r"EDITOR|VISUAL|KUBE_EDITOR|PAGER|MANPAGER|\w+_PAGER|LESSOPEN|LESSCLOSE|BROWSER|\w+_ASKPASS|"
    # What interpreters and libraries load before they begin.
    r"LD_\w+|DYLD_\w+|BASH\w*|PYTHON\w*|PERL\w*|RUBY\w*|GEM_\w+|NODE_\w+|LUA_\w+|PHPRC|PHP_INI_SCAN_DIR|R_PROFILE\w*|"
    r"TCLLIBPATH|CLASSPATH|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|GLIBC_TUNABLES|MALLOC_\w+|GCONV_PATH|"
    r"LOCPATH|NLSPATH|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|TERMINFO\w*|TERMCAP|OPENSSL_(?:CONF|MODULES|ENGINES)|SSLKEYLOGFILE|"
    # Files with settings, some of which start programs.
    r"GIT_\w+|CURL_HOME|WGETRC|NETRC|PSQLRC|PSQL_EDITOR|PGSYSCONFDIR|MYSQL_HOME|(?i:npm_config_\w+)|RIPGREP_CONFIG_PATH|"
    r"ERPOPS_RUN\w*"
)
_OURS = re.compile(r"ERPOPS_P_\w+")


def decides_how_programs_start(name: str) -> bool:
    """Whether a variable of that name is refused, whoever gives it."""
    return _NAMES.fullmatch(name) is not None


def may_be_asked_for(name: str) -> bool:
    """Whether a person may give the variable `name` a value for a command that reads it."""
    return not decides_how_programs_start(name) and _OURS.fullmatch(name) is None
