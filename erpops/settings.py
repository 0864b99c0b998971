"""Settings: everything that can differ between installations is read from the environment here."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from erpops import env
from erpops.embedded import state

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("ERPOPS_DATA", str(BASE_DIR / "data"))).resolve()

DEBUG = env.flag("ERPOPS_DEBUG")
ROLE = env.choice("ERPOPS_ROLE", "command", {"web", "engine", "worker", "command"})
SECRET_KEY = env.secret("ERPOPS_SECRET_KEY", DATA_DIR / "secret_key")
# First key encrypts, all of them decrypt: rotate by putting a new one in front.
FIELD_KEYS = env.names("ERPOPS_FIELD_KEYS") or [SECRET_KEY]
# What `manage.py up` wrote while it runs here: its servers and its address.
_embedded = state.read(DATA_DIR) or {}
PUBLIC_URL = (env.text("ERPOPS_URL") or _embedded.get("url") or "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.names("ERPOPS_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
if urlsplit(PUBLIC_URL).hostname:
    ALLOWED_HOSTS.append(str(urlsplit(PUBLIC_URL).hostname))
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
_SECURE = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "guardian",
    "incidents",
    "checks",
    "runbooks",
    # Last: its ready() freezes the registries that the apps above fill.
    "erpops",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # The last one: what it does again is the view alone.
    "erpops.conflicts.RetryConflicts",
]

ROOT_URLCONF = "erpops.urls"
ASGI_APPLICATION = "erpops.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "erpops.htmx.shell",
            ],
            "builtins": ["erpops.templatetags.words", "runbooks.templatetags.walks"],
            "libraries": {"words": "erpops.templatetags.words"},
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ]
            if not DEBUG
            else [
                "django.template.loaders.filesystem.Loader",
                "django.template.loaders.app_directories.Loader",
            ],
        },
    }
]


def _database(url: str) -> dict[str, Any]:
    """Django's database settings from postgres://user:password@host:port/name?option=value."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql://; erpops runs on PostgreSQL only.")
    options: dict[str, Any] = {key: values[0] for key, values in parse_qs(parts.query).items()}
    options.setdefault("connect_timeout", 5)
    options["application_name"] = f"erpops-{ROLE}"
    # A process that stands still in the middle of a transaction must not hold its row beyond the row's lease. Pages
    # and commands may compute between two statements: an import compiles what it stores.
    patience = "10s" if ROLE in {"engine", "worker"} else "60s"
    options.setdefault("options", f"-c idle_in_transaction_session_timeout={patience}")
    if env.flag("ERPOPS_PREPARED_STATEMENTS", True):
        # Planning takes most of the time of a short query: what comes again is planned once for each connection.
        options |= {"server_side_binding": True, "prepare_threshold": 5}
    if ROLE == "web":
        options["pool"] = {"min_size": 1, "max_size": env.number("ERPOPS_WEB_POOL", 16, least=2), "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0 if ROLE == "web" else None,
        "CONN_HEALTH_CHECKS": ROLE != "web",
        "OPTIONS": options,
    }


DATABASE_URL = env.text("DATABASE_URL") or _embedded.get("database_url", "")
REDIS_URL = env.text("REDIS_URL") or _embedded.get("redis_url", "")
if DATABASE_URL:
    DATABASES = {"default": _database(DATABASE_URL)}
if REDIS_URL.startswith("valkey://"):
    REDIS_URL = "redis://" + REDIS_URL.removeprefix("valkey://")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.text("ERPOPS_TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("ERPOPS_STATIC_ROOT", str(DATA_DIR / "static")))
# Until `prepare` has collected them, files are served from where they lie, without hashed names.
_COLLECTED = not DEBUG and (STATIC_ROOT / "staticfiles.json").exists()
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"
        if _COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
SERVESTATIC_MANIFEST_STRICT = False
SERVESTATIC_USE_FINDERS = not _COLLECTED
SERVESTATIC_AUTOREFRESH = not _COLLECTED

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    }
}
# A pasted runbook may be 10 MB, and a form writes it longer than it is.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 2000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# Mail: smtp://user:password@host:port?tls=1 (STARTTLS) or smtps://…; empty writes files to <data>/mail.
EMAIL_URL = env.text("ERPOPS_EMAIL_URL")
DEFAULT_FROM_EMAIL = env.text("ERPOPS_EMAIL_FROM", "erpops@localhost")
EMAIL_TIMEOUT = 10
if EMAIL_URL:
    _mail = urlsplit(EMAIL_URL)
    if _mail.scheme not in {"smtp", "smtps"} or not _mail.hostname:
        raise ImproperlyConfigured("ERPOPS_EMAIL_URL must look like smtp://user:password@host:port.")
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname
    EMAIL_PORT = _mail.port or (465 if _mail.scheme == "smtps" else 25)
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = "tls" in parse_qs(_mail.query)
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"

# Hosts and networks on private addresses that people's URLs (webhooks, Slack) may reach all the same.
EGRESS_ALLOW = env.names("ERPOPS_EGRESS_ALLOW")
# Where the first admin is reached; used once, by `manage.py prepare` on an empty database.
ADMIN_EMAIL = env.text("ERPOPS_ADMIN_EMAIL")
RUNBOOKS_DIR = env.text("ERPOPS_RUNBOOKS_DIR")
PROGRAMS = env.text("ERPOPS_PROGRAMS")
INGEST_MAX_BYTES = env.number("ERPOPS_INGEST_MAX_BYTES", 1_048_576, least=1024)
# What one command may use on its worker, all of its processes together; a file, wherever it writes it.
COMMAND_MEMORY_MB = env.number("ERPOPS_COMMAND_MEMORY_MB", 2048, least=64)
COMMAND_PROCESSES = env.number("ERPOPS_COMMAND_PROCESSES", 1024, least=16)
COMMAND_DISK_MB = env.number("ERPOPS_COMMAND_DISK_MB", 1024, least=1)
COMMAND_FILE_MB = env.number("ERPOPS_COMMAND_FILE_MB", 16_384, least=1)
COMMAND_OUTPUT_MB = env.number("ERPOPS_COMMAND_OUTPUT_MB", 10, least=1)
# Whom shell commands and scripts become on a worker that runs as root; empty: nobody else.
COMMAND_USER = env.text("ERPOPS_COMMAND_USER")
# How long a worker that was asked to stop waits for its commands; they go on without it.
STOP_GRACE_S = env.number("ERPOPS_STOP_GRACE_S", 25)
WORKER_QUEUES = env.names("ERPOPS_QUEUES", "env.self,checks")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("ERPOPS_LOG_LEVEL", "INFO")},
    "loggers": {"httpx": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}
