"""What became of walks: each command with its end, and the reason where it did not succeed."""

import re
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Command:
    """What became of one command of a walk."""

    runbook: str
    step: int
    text: str
    risk: str
    end: str  # succeeded, failed, timed_out, stopped, not run
    reason: str = ""
    said: str = ""


@dataclass
class Walked:
    """A walk from its incident to its completion."""

    runbook: str
    opened_by: str
    steps: int = 0
    # What kept it from being completed; empty as it should be.
    broken: str = ""
    commands: list[Command] = field(default_factory=list)


_OF_THE_TEAM = "a file of the team's own, which the document names and does not hold"
# By what was printed last. The first that fits is told.
_REASONS = (
    ("the cluster has no object of that name", r"Error from server \(NotFound\)|No resources found"),
    ("the stand-in for the cluster does not have it", "404 page not found|the requested resource|resource type"),
    ("no program of that name is in the container", r"OCI runtime exec failed.*(not found|no such file)"),
    (_OF_THE_TEAM, r"\bcmd/\S+\.go\b|bash: \S+\.sh: No such file"),
    ("the program is not on the machine that it runs on", "command not found"),
    ("curl reads the brackets of the query as a pattern of its own", "bad range|globbing|exit 3\\b"),
    ("curl refuses two of the text's options together", "only select one HTTP request method"),
    ("what listens there does not speak HTTP", "Empty reply from server"),
    ("Prometheus refuses the query of the text", "Prometheus refuses"),
    ("the example of the text is no real token", "Invalid numeric literal"),
    ("the text names no user, and the database has no root", 'role "root" does not exist'),
    ("a name of the text does not exist in the database", "(column|relation|function|role|database) .*does not exist"),
    ("PostgreSQL does not allow that in this way", "inside a transaction block|currently open database|cannot execute"),
    ("what it would make is there already", "already exists|already in use"),
    ("the text is no valid SQL", "syntax error"),
    ("Docker Compose 1 takes no options behind the service", "No such service: -"),
    (
        "the Compose project of the text is not there, or has no such service",
        "No such service|no containers of a Compose",
    ),
    ("what stands in for Docker Compose does not know that", "this worker has a stand-in"),
    ("the container, the network or the image is not there", "No such container|[Nn]o such image|network .* not found"),
    ("the container, the network or the image is not there", "Unable to find image|is not running"),
    ("the text leaves out an argument", "must specify|requires at least|missing operand"),
    ("this world has no systemd", "not been booted with systemd"),
    ("nothing listens there in this world", "refused|Failed to connect|Could not connect|errno=111"),
    ("the host's name does not resolve here", "ould not resolve|Name or service not known|bad address|NXDOMAIN"),
    ("the host's name does not resolve here", "no servers could be reached|name resolution|can't (find|resolve)"),
    ("it asks questions, and there is no keyboard", "Error making certificate request"),
    ("a certificate is not trusted here", "self.signed certificate|SSL certificate problem|unable to get .*issuer"),
    ("no process has that number", "No such process"),
    ("this world gives no right to do that", "[Pp]ermission denied|not permitted|must be root"),
    ("this world's files are read-only there", "Read-only"),
    ("a file that the text names is not there", "[Nn]o such file|cannot access|[Cc]an't open|[Cc]annot open|not exist"),
    ("a PostgreSQL tool refuses to be run by root", 'executed by "root"'),
)


def why(command: Command) -> str:
    """The reason of a failure in words, by what was printed last."""
    if command.end == "not run":
        return _not_run(command)
    if command.end in {"timed_out", "stopped"}:
        return "its time limit ended it: it never ends by itself, or takes long"
    for reason, pattern in _REASONS:
        if re.search(pattern, f"{command.said}\n{command.reason}"):
            return reason
    if "exit 1 " in command.reason and not command.said.strip():
        if re.match(r"docker-compose exec\b[^|]*$", command.text):
            return "Docker Compose 1 says nothing where the container does not run"
        if "grep" in command.text:
            return "grep found nothing, which it says with exit 1"
        if command.text.startswith("lsof"):
            return "lsof sees no process: the worker is in a container of its own"
        if command.text.startswith("find"):
            return "find may not read everything, which it says with exit 1"
    return f"other: {command.reason.partition(' · ')[0]}"


def _not_run(command: Command) -> str:
    told = re.sub(r"“.*?”|<[^>]*>", "…", command.reason)
    if found := re.search(r"(?:The program )?(\S+) is not installed on (?:the|this) worker", told):
        return f"{found[1]} is not installed"
    if re.search(r"There is no file \S+ on this worker|is a file of yours", told):
        return _OF_THE_TEAM
    return told


def summary(walks: list[Walked]) -> str:
    """Counts, and each command that did not succeed with its reason."""
    commands = [command for walked in walks for command in walked.commands]
    ends = Counter(command.end for command in commands)
    by_alert = sum(walked.opened_by.startswith("alert") for walked in walks)
    out = [
        "# Incident runbooks of the documents, walked with their commands run",
        "",
        f"{len(walks)} runbooks ({by_alert} opened by a real alert), {sum(w.steps for w in walks)} steps, "
        f"{len(commands)} commands: " + ", ".join(f"{end} {count}" for end, count in ends.most_common()),
        "",
    ]
    for end in ("failed", "timed_out", "stopped", "not run"):
        reasons = Counter(why(command) for command in commands if command.end == end)
        if reasons:
            out += [f"## {end}", "", *(f"- {count} × {reason}" for reason, count in reasons.most_common()), ""]
    out += ["## Each of them", ""]
    for command in commands:
        if command.end != "succeeded":
            line = " ".join(command.text.split())[:140]
            last = [said for said in command.said.splitlines() if said.strip(" ^␍\t")][-1:] or [""]
            out.append(
                f"- {command.runbook}, step {command.step}, `{line}`: {command.end}, {why(command)} "
                f"({last[0].strip()[:160]})"
            )
    return "\n".join([*out, ""])
