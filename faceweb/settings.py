"""All settings. With nothing configured everything lives in one data folder."""

import contextlib
import hashlib
import os
import re
import socket
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from dotenv import load_dotenv

from faceweb import env
from faceweb.recognition import detection, embedders

BASE_DIR = Path(__file__).resolve().parent.parent
load_dotenv(BASE_DIR / ".env")

DATA_DIR = env.folder("FACEWEB_DATA_DIR", BASE_DIR / "data")


def _unusable(reason: str | None) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"The data folder {DATA_DIR} cannot be written ({reason}). "
        "Choose another with FACEWEB_DATA_DIR."
    )


try:
    # What it holds is nobody else's business on a shared machine.
    DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    (DATA_DIR / "run").mkdir(exist_ok=True, mode=0o700)
except OSError as error:
    raise _unusable(error.strerror) from None
if not all(os.access(path, os.W_OK | os.X_OK) for path in (DATA_DIR, DATA_DIR / "run")):
    raise _unusable("it belongs to another account")


def _secret_key() -> str:
    """The configured key, or one made once and kept in the data folder."""
    if configured := env.secret("FACEWEB_SECRET_KEY"):
        return configured
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists():
            # Written aside and linked into place, so that nobody ever reads half a key and the
            # first of two processes wins.
            handle, draft = tempfile.mkstemp(dir=DATA_DIR, prefix="secret_key.")
            with os.fdopen(handle, "w") as file:
                file.write(get_random_secret_key())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            Path(draft).unlink()
        return path.read_text()
    except OSError as error:
        raise _unusable(error.strerror) from None


# --- web -----------------------------------------------------------------------------------------
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, least=1, most=65535)
SECRET_KEY = _secret_key()
DEBUG = env.boolean("FACEWEB_DEBUG", False)
ALLOWED_HOSTS = [
    "localhost", "127.0.0.1", "[::1]", HOST, socket.gethostname(),
    *env.words("FACEWEB_ALLOWED_HOSTS"),
]  # fmt: skip
CSRF_TRUSTED_ORIGINS = env.words("FACEWEB_TRUSTED_ORIGINS")
BEHIND_PROXY = env.boolean("FACEWEB_BEHIND_HTTPS", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 14 * 24 * 3600

ROOT_URLCONF = "faceweb.urls"
WSGI_APPLICATION = "faceweb.wsgi.application"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "faceweb.apps.FacewebConfig",
    "people.apps.PeopleConfig",
    "search.apps.SearchConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "faceweb.middleware.content_security_policy",
    "faceweb.middleware.sign_in_on_a_whole_page",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.text("TZ", "UTC")
USE_TZ = True

# --- database ------------------------------------------------------------------------------------
_database_url = env.url("DATABASE_URL", schemes=("postgres", "postgresql", "sqlite"))
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(_database_url, conn_max_age=60, conn_health_checks=True)
    if _database_url
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "faceweb.sqlite3"}
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue up at BEGIN instead of failing half-way with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
        "PRAGMA cache_size=-32000; PRAGMA mmap_size=268435456;",
    }
    # File databases are shared by threads; in-memory ones, which tests use by default, are not.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}

# --- broker and worker ---------------------------------------------------------------------------


def _socket_path() -> Path:
    """Where the embedded broker listens: in the data folder, or near it if the path is too long."""
    path = DATA_DIR / "run" / "broker.sock"
    if len(str(path)) < 100:  # the system's limit is 108 bytes, on macOS 104
        return path
    digest = hashlib.sha256(str(DATA_DIR).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"faceweb-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ImproperlyConfigured(f"{folder} belongs to someone else. Shorten FACEWEB_DATA_DIR.")
    return folder / "broker.sock"


BROKER_SOCKET = _socket_path()
REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss"))
FACEWEB_WORKER_THREADS = env.integer(
    "FACEWEB_WORKER_THREADS", (os.cpu_count() or 2) + 1, least=1, most=64
)
CELERY_BROKER_URL = REDIS_URL or f"redis+socket://{BROKER_SOCKET}"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # The order in which queues are asked for work: a search never waits for an import.
    "queue_order_strategy": "priority",
    "visibility_timeout": 3600,
}
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_RESULT_EXPIRES = 60
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Celery's usual pool forks, which neither the embedded index nor a GPU survives (docs/adr/0009).
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = FACEWEB_WORKER_THREADS
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "faceweb.sweep", "schedule": timedelta(seconds=30)},
}
# What all web processes count together. It may be lost at any time: nothing else is kept there.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL or f"unix://{quote(str(BROKER_SOCKET))}",
        "KEY_PREFIX": "faceweb",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}
FACEWEB_QUEUES = ("search", "ingest", "maintenance")

# --- index ---------------------------------------------------------------------------------------
QDRANT_URL = env.url("QDRANT_URL", schemes=("http", "https"))
QDRANT_API_KEY = env.secret("QDRANT_API_KEY")
INDEX_DIR = DATA_DIR / "index"

# --- files ---------------------------------------------------------------------------------------


def _media_storage(address: str) -> dict[str, Any]:
    """s3://KEY:SECRET@bucket/prefix?region=...&endpoint=https://..., or the data folder."""
    if not address:
        options: dict[str, Any] = {
            "location": DATA_DIR / "media", "allow_overwrite": True,
            "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700,
        }  # fmt: skip
        return {"BACKEND": "faceweb.media.Folder", "OPTIONS": options}
    parts = urlsplit(address)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if not parts.hostname or set(query) - {"region", "endpoint"}:
        raise ImproperlyConfigured(
            "STORAGE_URL must look like s3://bucket/prefix?region=eu-west-1&endpoint=https://host."
        )
    options = {
        "bucket_name": parts.hostname, "location": parts.path.strip("/"),
        "file_overwrite": True, "querystring_auth": True, "default_acl": "private",
        "region_name": query.get("region"), "endpoint_url": query.get("endpoint"),
        "access_key": unquote(parts.username) if parts.username else None,
        "secret_key": unquote(parts.password) if parts.password else None,
    }  # fmt: skip
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


STORAGES = {
    "default": _media_storage(env.url("STORAGE_URL", schemes=("s3",))),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]

# --- faceweb -------------------------------------------------------------------------------------


def _embedder() -> str:
    """A name that faceweb knows, or onnx: and the path of a network that someone brings."""
    name = env.text("FACEWEB_EMBEDDER", "sface")
    brought = re.fullmatch(r"onnx:.*\.onnx", name) and len(name) <= 200
    if name not in embedders.slugs() and not brought:
        raise ImproperlyConfigured(
            f"FACEWEB_EMBEDDER must be one of {', '.join(embedders.slugs())}, or onnx: and the "
            f"path of an ONNX file, such as onnx:arcface.onnx; in all at most 200 characters; not "
            f"{name!r}."
        )
    return name


FACEWEB_ADMIN_PASSWORD = env.secret("FACEWEB_ADMIN_PASSWORD")
FACEWEB_DETECTOR = env.choice("FACEWEB_DETECTOR", "mtcnn", detection.slugs())
FACEWEB_EMBEDDER = _embedder()
FACEWEB_WEIGHTS_DIR = env.folder("FACEWEB_WEIGHTS_DIR", DATA_DIR / "weights")
FACEWEB_DEVICE = env.choice("FACEWEB_DEVICE", "auto", ("auto", "cpu", "cuda"))
FACEWEB_MATCH_FMR = env.rate("FACEWEB_MATCH_FMR", 1e-4, least=1e-9, most=0.1)
FACEWEB_POSSIBLE_FMR = env.rate("FACEWEB_POSSIBLE_FMR", 1e-2, least=1e-9, most=0.1)
if FACEWEB_POSSIBLE_FMR < FACEWEB_MATCH_FMR:
    raise ImproperlyConfigured("FACEWEB_POSSIBLE_FMR must not be below FACEWEB_MATCH_FMR.")
FACEWEB_DETECTION: dict[str, Any] = {  # what the detector's settings are made of
    "min_face": env.integer("FACEWEB_MIN_FACE", 24, least=16, most=500),
    "min_face_share": env.rate("FACEWEB_MIN_FACE_SHARE", 0.025, least=0.001, most=0.5),
    "longest_side": env.integer("FACEWEB_DETECTION_SIDE", 1280, least=320, most=2560),
}
FACEWEB_MAX_PIXELS = 1_000_000 * env.integer("FACEWEB_MAX_MEGAPIXELS", 150, least=1, most=178)
FACEWEB_MAX_UPLOAD_MB = env.integer("FACEWEB_MAX_UPLOAD_MB", 50, least=1, most=2000)
FACEWEB_MAX_UPLOAD_FILES = env.integer("FACEWEB_MAX_UPLOAD_FILES", 500, least=1, most=10_000)
FACEWEB_SEARCH_RETENTION = env.duration("FACEWEB_SEARCH_RETENTION", timedelta(hours=24))
FACEWEB_PERSON_GRACE = env.duration("FACEWEB_PERSON_GRACE", timedelta(days=30))

DATA_UPLOAD_MAX_NUMBER_FILES = FACEWEB_MAX_UPLOAD_FILES + 100
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # form fields; files are spooled to disk
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- logging -------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "faceweb": {"level": env.choice("FACEWEB_LOG_LEVEL", "INFO",
                                        ("DEBUG", "INFO", "WARNING", "ERROR"))},
        "django.request": {"level": "ERROR"},
        # Said in one line by the page that answers.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}  # fmt: skip
