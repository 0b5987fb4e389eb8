"""Django's settings, all from the environment. The table of names is in docs/reference/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http.request import split_domain_port
from django.templatetags.static import static

from hub import api_schema, described, env, signing_in
from hub.logging import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_dotenv(BASE_DIR / ".env")

#: Shown with each worker; the same as in pyproject.toml.
HUB_VERSION = "0.1.0"

# -- identity and keys ------------------------------------------------------------------------------------------------
DEBUG = False
SECRET_KEY = env.env_secret("SECRET_KEY")
HUB_ENCRYPTION_KEYS = env.env_fernet_keys("HUB_ENCRYPTION_KEYS")
# The API token of another hub, whose events `manage.py listen` fetches.
HUB_LISTEN_TOKEN = env.env_str("HUB_LISTEN_TOKEN", "")
HUB_SECRETS_DIR = env.env_str("HUB_SECRETS_DIR", "")
# The first administrator; used once, by `manage.py hub --quickstart`. Without a password one is made and printed.
HUB_ADMIN_USERNAME = env.env_str("HUB_ADMIN_USERNAME", "admin")
HUB_ADMIN_PASSWORD = env.env_str("HUB_ADMIN_PASSWORD", "")

# -- where the hub listens and how it is reached ----------------------------------------------------------------------
HUB_BIND = env.env_str("HUB_BIND", "127.0.0.1")
HUB_PORT = env.env_int("HUB_PORT", 8000, minimum=1, maximum=65535)
HUB_BASE_URL = env.env_base_url("HUB_BASE_URL", f"http://127.0.0.1:{HUB_PORT}")
_BASE = urlsplit(HUB_BASE_URL)
# Where the admin answers, if not at every address of the hub.
HUB_ADMIN_HOSTS = env.env_list("HUB_ADMIN_HOSTS")
HUB_ADMIN_NETWORKS = env.env_networks("HUB_ADMIN_NETWORKS")
HUB_ADMIN_URL = f"{_BASE.scheme}://{HUB_ADMIN_HOSTS[0]}" if HUB_ADMIN_HOSTS else HUB_BASE_URL
ALLOWED_HOSTS = [
    *env.env_list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]", _BASE.hostname or ""]),
    *(split_domain_port(host)[0] for host in HUB_ADMIN_HOSTS),
]
HUB_TRUSTED_PROXIES = env.env_networks("HUB_TRUSTED_PROXIES")
HUB_OPERATIONS_NETWORKS = env.env_networks("HUB_OPERATIONS_NETWORKS", ["127.0.0.0/8", "::1/128"])
HUB_READY_QUEUE_SECONDS = env.env_int("HUB_READY_QUEUE_SECONDS", 300, minimum=1)
HUB_ALERT_MESSAGES_PER_HOUR = env.env_int("HUB_ALERT_MESSAGES_PER_HOUR", 12, minimum=1)
HUB_SELF_CHECK_SECONDS = env.env_int("HUB_SELF_CHECK_SECONDS", 0, minimum=0)
HUB_SELF_CHECK_URL = env.env_base_url("HUB_SELF_CHECK_URL", "")
HUB_DOCS_URL = env.env_str("HUB_DOCS_URL", "").rstrip("/")
HUB_EGRESS_ALLOW = env.env_networks("HUB_EGRESS_ALLOW")
HUB_EGRESS_CONNECTIONS = env.env_networks("HUB_EGRESS_CONNECTIONS")
_HTTPS = _BASE.scheme == "https"
HUB_ALLOW_HTTP = env.env_bool("HUB_ALLOW_HTTP", False)

# -- mail -------------------------------------------------------------------------------------------------------------
_MAIL = env.env_mail("HUB_EMAIL_URL")
EMAIL_HOST = _MAIL.get("EMAIL_HOST", "")  # "" is no mail server: `email.send` says so
EMAIL_PORT = _MAIL.get("EMAIL_PORT", 25)
EMAIL_HOST_USER = _MAIL.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = _MAIL.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _MAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_SSL", False)
DEFAULT_FROM_EMAIL = env.env_str("HUB_EMAIL_FROM", "")

# -- database ---------------------------------------------------------------------------------------------------------
HUB_DATA_DIR = Path(env.env_str("HUB_DATA_DIR", str(BASE_DIR / "var")))
HUB_BACKUP_DIR = env.env_str("HUB_BACKUP_DIR", "")
HUB_POSTGRES_BIN = env.env_str("HUB_POSTGRES_BIN", "")
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.env_database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
}
_SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
_CONN_MAX_AGE = env.env_int("HUB_DATABASE_CONN_MAX_AGE", 600)
if _SQLITE:
    # FULL: a 2xx means committed, also across a power cut. IMMEDIATE: a transaction that reads first and then writes
    # would otherwise fail at once with "database is locked", whatever the timeout.
    DATABASES["default"]["ENGINE"] = "hub.sqlite3"
    DATABASES["default"]["CONN_MAX_AGE"] = None
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE",
        timeout=20,
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
    )
else:
    DATABASES["default"]["CONN_MAX_AGE"] = _CONN_MAX_AGE
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
# Lists of the admin are read there; nothing is written to it.
if env.env_str("HUB_READ_DATABASE_URL", ""):
    DATABASES["replica"] = env.env_database("HUB_READ_DATABASE_URL", "") | {"CONN_MAX_AGE": _CONN_MAX_AGE}
    DATABASES["replica"]["CONN_HEALTH_CHECKS"] = True
    if not DATABASES["replica"]["ENGINE"].endswith("sqlite3"):
        DATABASES["replica"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 2)
DATABASE_ROUTERS = ["deliveries.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- processes --------------------------------------------------------------------------------------------------------
HUB_WEB_WORKERS = env.env_int("HUB_WEB_WORKERS", 1 if _SQLITE else 2, minimum=1)
HUB_WEB_THREADS = env.env_int("HUB_WEB_THREADS", 16, minimum=1)
HUB_OWN_CORES = env.env_bool("HUB_OWN_CORES", True)
HUB_WORKERS = env.env_int("HUB_WORKERS", 2, minimum=1)
HUB_WORKER_THREADS = env.env_int("HUB_WORKER_THREADS", 32, minimum=1)
HUB_LEASE_SECONDS = env.env_int("HUB_LEASE_SECONDS", 15, minimum=3)
HUB_STOP_SECONDS = env.env_int("HUB_STOP_SECONDS", 25, minimum=1)
HUB_FROZEN_SECONDS = env.env_int("HUB_FROZEN_SECONDS", 10, minimum=5)

# -- receiving --------------------------------------------------------------------------------------------------------
HUB_BODY_SECONDS = env.env_int("HUB_BODY_SECONDS", 30, minimum=1)
HUB_BODY_DEDUPE_SECONDS = env.env_int("HUB_BODY_DEDUPE_SECONDS", 24 * 3600)
HUB_ARCHIVE_DIR = env.env_str("HUB_ARCHIVE_DIR", "")
HUB_ARCHIVE_CONNECTION = env.env_str("HUB_ARCHIVE_CONNECTION", "")
HUB_OBJECTS_DIR = env.env_str("HUB_OBJECTS_DIR", "")
HUB_DATABASE_DISK_BYTES = env.env_int("HUB_DATABASE_DISK_BYTES", 0)
HUB_BODY_DAYS = env.env_int("HUB_BODY_DAYS", 90, maximum=36_500)
HUB_HEADERS_DAYS = env.env_int("HUB_HEADERS_DAYS", 90, maximum=36_500)
HUB_ATTEMPT_DAYS = env.env_int("HUB_ATTEMPT_DAYS", 90, maximum=36_500)
HUB_DEAD_LETTER_DAYS = env.env_int("HUB_DEAD_LETTER_DAYS", 180, maximum=36_500)
HUB_EVENT_DAYS = env.env_int("HUB_EVENT_DAYS", 400, maximum=36_500)
HUB_REJECTION_DAYS = env.env_int("HUB_REJECTION_DAYS", 7, minimum=1)
HUB_REJECTIONS_PER_ENDPOINT = env.env_int("HUB_REJECTIONS_PER_ENDPOINT", 1000, minimum=1)
HUB_REJECTION_BODY_BYTES = env.env_int("HUB_REJECTION_BODY_BYTES", 64 * 1024)
HUB_REJECTION_BYTES_PER_ENDPOINT = env.env_int("HUB_REJECTION_BYTES_PER_ENDPOINT", 16 * 1024 * 1024)

# -- overload ---------------------------------------------------------------------------------------------------------
HUB_SHED_QUEUE_SECONDS = env.env_int("HUB_SHED_QUEUE_SECONDS", 0)
HUB_SHED_WAIT_MILLISECONDS = env.env_int("HUB_SHED_WAIT_MILLISECONDS", 250)
HUB_DISK_FREE_MB = env.env_int("HUB_DISK_FREE_MB", 200)
HUB_DATABASE_DIR = env.env_str("HUB_DATABASE_DIR", "")

# -- protection -------------------------------------------------------------------------------------------------------
HUB_API_REQUESTS_PER_MINUTE = env.env_int("HUB_API_REQUESTS_PER_MINUTE", 1200, minimum=1)
HUB_FAILED_LOGINS_PER_MINUTE = env.env_int("HUB_FAILED_LOGINS_PER_MINUTE", 10, minimum=1)
HUB_REFUSED_TOKENS_PER_MINUTE = env.env_int("HUB_REFUSED_TOKENS_PER_MINUTE", 60, minimum=1)
HUB_PASSWORD_LENGTH = env.env_int("HUB_PASSWORD_LENGTH", 12, minimum=8, maximum=64)
HUB_SESSION_HOURS = env.env_int("HUB_SESSION_HOURS", 12, minimum=1)
HUB_SESSION_IDLE_MINUTES = env.env_int("HUB_SESSION_IDLE_MINUTES", 60, minimum=1)
HUB_REQUIRE_SECOND_FACTOR = env.env_bool("HUB_REQUIRE_SECOND_FACTOR", False)
HUB_OIDC_CLAIM = env.env_str("HUB_OIDC_CLAIM", "groups")
HUB_OIDC_ROLES = env.env_pairs("HUB_OIDC_ROLES")
HUB_OIDC_PROVES_SECOND_FACTOR = env.env_bool("HUB_OIDC_PROVES_SECOND_FACTOR", False)
HUB_AUDIT_DAYS = env.env_int("HUB_AUDIT_DAYS", 730, minimum=1)
HUB_SHAPE_DAYS = env.env_int("HUB_SHAPE_DAYS", 90, maximum=36_500)
HUB_ALERT_DAYS = env.env_int("HUB_ALERT_DAYS", 400, minimum=1)
HUB_STATS_DAYS = env.env_int("HUB_STATS_DAYS", 400, minimum=1)

# -- handlers of one's own --------------------------------------------------------------------------------------------
HUB_AUTOMATIONS = env.env_packages("HUB_AUTOMATIONS")

# -- django -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_filters",
    "rest_framework",
    "knox",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "integrations",
    "deliveries",
    *HUB_AUTOMATIONS,
]
MIDDLEWARE = [
    "hub.middleware.request_id",
    "deliveries.overload.gate.gate",
    "hub.middleware.origin",
    "hub.middleware.forwarded_scheme",
    "hub.middleware.admin_place",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "hub.middleware.content_security_policy",
    "hub.middleware.viewer_zone",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "hub.middleware.english",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "deliveries.signing_in.sessions.limits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "deliveries.signing_in.second_factor.gate",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "hub.urls"
WSGI_APPLICATION = "hub.wsgi.application"
APPEND_SLASH = True
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
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": HUB_PASSWORD_LENGTH}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]
# Shared by all web processes: used codes and wrong attempts. What django-q2 and Unfold note is for one process.
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "hub_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
# English is the only language that there is; docs/how-to/translate.md says how another one is made.
# English is the only language that there is; docs/how-to/translate.md says how another one is made.
LANGUAGE_CODE = "en"
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_HANDLERS = ["hub.uploads.NoFiles"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# -- signing in (django-allauth) --------------------------------------------------------------------------------------
ACCOUNT_ADAPTER = "deliveries.signing_in.accounts.AccountAdapter"
ACCOUNT_FORMS = signing_in.ACCOUNT_FORMS
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_UNIQUE_EMAIL = False
ACCOUNT_RATE_LIMITS = signing_in.RATE_LIMITS
# Who may see no page is told so, instead of being led round in a circle.
ACCOUNT_AUTHENTICATED_LOGIN_REDIRECTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "deliveries.signing_in.second_factor.SecondFactor"
MFA_FORMS = signing_in.MFA_FORMS
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1
MFA_ALLOW_UNVERIFIED_EMAIL = True
SOCIALACCOUNT_ADAPTER = "deliveries.signing_in.single_sign_on.SingleSignOn"
# A link begins it: a form that is led on to another host is stopped by the pages' policy. Nothing is changed by it.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS = signing_in.providers(
    signing_in.Provider(
        issuer=env.env_str("HUB_OIDC_ISSUER", ""),
        client_id=env.env_str("HUB_OIDC_CLIENT_ID", ""),
        client_secret=env.env_str("HUB_OIDC_CLIENT_SECRET", ""),
        name=env.env_str("HUB_OIDC_NAME", "Single sign-on"),
        roles=HUB_OIDC_ROLES,
        scopes=env.env_list("HUB_OIDC_SCOPES", ["openid", "profile", "email"]),
    )
)

# -- security ---------------------------------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = HUB_SESSION_HOURS * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = env.env_int("SECURE_HSTS_SECONDS", 31_536_000 if _HTTPS else 0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [f"{_BASE.scheme}://{host}" for host in (_BASE.netloc, *HUB_ADMIN_HOSTS)]
SILENCED_SYSTEM_CHECKS = [
    # The proxy in front turns http into https; redirecting here too would answer a webhook with a 301.
    "security.W008",
    # HSTS for subdomains, and for ever: the hub speaks for its own name only.
    *("security.W005", "security.W021"),
    # Without TLS there is no HSTS and no secure cookie; hub.W001 says so where it matters.
    *(() if _HTTPS else ("security.W004", "security.W012", "security.W016")),
]

# -- API --------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["deliveries.api.authentication.TokenAuthentication"],
    "DEFAULT_THROTTLE_CLASSES": ["deliveries.api.throttling.PerCaller"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["integrations.api.parsing.StrictJSONParser"],
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "deliveries.api.errors.as_contract",
    "DEFAULT_SCHEMA_CLASS": "integrations.api.schema.HubSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX: dict[str, Any] = {"TOKEN_TTL": None, "AUTH_HEADER_PREFIX": "Token"}

# What operations have in common: integrations/api/schema.py, `make openapi` writes docs/reference/openapi.yaml.
SPECTACULAR_SETTINGS = api_schema.SPECTACULAR_SETTINGS

# -- django-q2: a process pool that is woken; the delivery rows are the queue (docs/decisions/0002-engine.md) ---------
Q_CLUSTER: dict[str, Any] = {
    "name": "hub",
    "broker_class": "deliveries.execution.broker.DueDeliveries",
    "cache": "process",
    "workers": HUB_WORKERS,
    # Neither is at work: a drain carries a timeout of its own (none), and the broker redelivers nothing.
    "timeout": 60,
    "retry": 300,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "queue_limit": 2,
    "recycle": 1000,
    "max_rss": 400_000,
    "catch_up": False,
    "scheduler": False,
    "log_level": "WARNING",
    "ALT_CLUSTERS": {},
}

# -- logs -------------------------------------------------------------------------------------------------------------
LOG_FORMAT = env.env_choice("LOG_FORMAT", "console", ("console", "json"))
LOG_LEVEL = env.env_choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = logging_config(LOG_FORMAT, level=LOG_LEVEL, own=HUB_AUTOMATIONS)

# -- traces and errors, collected elsewhere ---------------------------------------------------------------------------
OTEL_EXPORTER_OTLP_ENDPOINT = env.env_extra(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    module="opentelemetry.exporter.otlp.proto.http",
    package="opentelemetry-exporter-otlp-proto-http",
    form=env.COLLECTOR,
)
OTEL_EXPORTER_OTLP_HEADERS = env.env_str("OTEL_EXPORTER_OTLP_HEADERS", "", form=env.COLLECTOR_HEADERS)
OTEL_SERVICE_NAME = env.env_str("OTEL_SERVICE_NAME", "automation-hub")
SENTRY_DSN = env.env_extra(
    "SENTRY_DSN", module="sentry_sdk", package="sentry-sdk", kind="secret", form=env.SENTRY_ADDRESS
)
SENTRY_ENVIRONMENT = env.env_str("SENTRY_ENVIRONMENT", "production")

# -- admin ------------------------------------------------------------------------------------------------------------
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Automation Hub",
    "SITE_HEADER": "Automation Hub",
    "SITE_SYMBOL": "webhook",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("deliveries/icon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "deliveries.admin.home.attention",
    "STYLES": [lambda _request: static("deliveries/admin.css")],
    "SCRIPTS": [lambda _request: static("deliveries/admin.js")],
    "SIDEBAR": {"navigation": "deliveries.admin.navigation.sidebar"},
    "ACCOUNT": {"navigation": "deliveries.admin.navigation.account"},
}

# -- what the reference says of the above (deliveries/reference_pages/settings.py) ------------------------------------
HUB_SETTINGS_REFERENCE = described.rows(env.declared())
