"""What each setting means, for the reference: docs/reference/settings.md is written from this table and from `hub.env`.

A setting that is read (`env.env_int("HUB_PORT", 8000)`) has its entry here; a test says which one has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.env import Declared


@dataclass(frozen=True)
class Described:
    """One setting; ``default`` is given where the default's value says too little or depends on the machine."""

    name: str
    meaning: str
    default: str = ""
    #: Given where nothing of this name itself is read.
    value: str = ""


@dataclass(frozen=True)
class Row:
    """One setting as the reference shows it, in Markdown."""

    name: str
    value: str
    default: str
    meaning: str


Section = tuple[str, Sequence[Described]]

SECTIONS: tuple[Section, ...] = (
    (
        "Keys and secrets",
        (
            Described("SECRET_KEY", "Django's signing key; `make run` makes one"),
            Described(
                "HUB_ENCRYPTION_KEYS",
                "the first encrypts, all decrypt. Without them no stored secret can be read: back them up",
            ),
            Described("HUB_SECRETS_DIR", "folder of the files that `file:NAME` references read"),
            Described(
                "HUB_SECRET_...", "values that `env:HUB_SECRET_...` references read", default="none", value="secret"
            ),
            Described("HUB_ADMIN_USERNAME", "name of the first administrator"),
            Described(
                "HUB_ADMIN_PASSWORD",
                "password of the first administrator; a given one is not printed",
                default="generated",
            ),
            Described(
                "HUB_LISTEN_TOKEN",
                "the API token of another hub, for [`manage.py listen`](../how-to/develop-locally.md)",
            ),
        ),
    ),
    (
        "Address and networks",
        (
            Described(
                "HUB_BASE_URL",
                "the public address: printed URLs, and the URL that some providers sign",
                default="`http://127.0.0.1:<HUB_PORT>`",
            ),
            Described(
                "ALLOWED_HOSTS",
                "host names that the hub answers to, health probes included; a list of your own replaces this one",
                default="loopback and the host of `HUB_BASE_URL`",
            ),
            Described(
                "HUB_ADMIN_HOSTS",
                "host names at which the admin and the API's pages answer; elsewhere they are 404. Add them to the "
                "proxy; they need not stand in `ALLOWED_HOSTS`",
                default="every host of the hub",
            ),
            Described(
                "HUB_ADMIN_NETWORKS",
                "networks from which the admin and the API's pages answer, such as `10.8.0.0/16`; for others they are "
                "404. Webhooks and API tokens are not concerned",
                default="every network",
            ),
            Described(
                "HUB_ALLOW_HTTP",
                "let others than this machine reach a hub without TLS: for a network that you trust. Without it the "
                "hub [does not start](checks.md#what-stops-the-start)",
            ),
            Described("HUB_BIND", "the address to listen on"),
            Described("HUB_PORT", "the port to listen on"),
            Described(
                "HUB_TRUSTED_PROXIES",
                "networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, such as `10.0.0.0/8`",
            ),
            Described(
                "HUB_OPERATIONS_NETWORKS",
                "networks that may ask `/health/ready` and [`/metrics`](metrics.md) without a token",
            ),
            Described("HUB_EGRESS_ALLOW", "private networks that handlers may call; public ones are always allowed"),
            Described(
                "HUB_EGRESS_CONNECTIONS",
                "further private networks, which only a connection that names them in `egress` may call",
            ),
            Described(
                "HUB_EMAIL_URL",
                "the mail server of [`email.send`](handlers.md): `smtp+tls://user:password@host:587` (STARTTLS), "
                "`smtp+ssl://` (TLS from the start) or `smtp://`",
            ),
            Described("HUB_EMAIL_FROM", "the sender of mails whose route names none"),
            Described(
                "SECURE_HSTS_SECONDS",
                "`Strict-Transport-Security`",
                default="a year if `HUB_BASE_URL` is https, else 0",
            ),
        ),
    ),
    (
        "Data",
        (
            Described(
                "DATABASE_URL",
                "`sqlite:////absolute/path` or `postgres://user:password@host:5432/name`",
                default="`sqlite:///db.sqlite3` in the hub's folder",
            ),
            Described(
                "HUB_READ_DATABASE_URL",
                "a read replica's address, for the lists of history in the admin; see "
                "[how to put it on a server](../how-to/deploy.md#a-read-replica-for-the-admin)",
                default="none: they are read from `DATABASE_URL`",
            ),
            Described("HUB_DATABASE_CONN_MAX_AGE", "seconds that a PostgreSQL connection is kept"),
            Described(
                "HUB_BACKUP_DIR",
                "folder of [backups](../how-to/back-up-and-restore.md): `doctor` warns when the newest is a day old",
                default="none: not looked at",
            ),
            Described(
                "HUB_POSTGRES_BIN",
                "folder of `pg_dump` and `pg_restore`",
                default="none: they are looked for on the PATH",
            ),
            Described("HUB_DATA_DIR", "the supervisor's lock and sign of life", default="`var` in the hub's folder"),
        ),
    ),
    (
        "Processes",
        (
            Described(
                "HUB_WEB_WORKERS",
                "web processes",
                default="1 on SQLite, 2 on PostgreSQL",
            ),
            Described("HUB_WEB_THREADS", "threads of a web process"),
            Described("HUB_OWN_CORES", "whether each web process stays on [its own core](../how-to/deploy.md#cores)"),
            Described("HUB_WORKERS", "processes that run handlers"),
            Described("HUB_WORKER_THREADS", "handlers that one such process runs at once"),
            Described("HUB_LEASE_SECONDS", "how soon a dead worker's deliveries are taken over"),
            Described(
                "HUB_STOP_SECONDS",
                "time for requests and handlers in flight when the hub is stopped; then deliveries are given back",
            ),
            Described("HUB_FROZEN_SECONDS", "silence after which the supervisor replaces the workers"),
            Described(
                "HUB_READY_QUEUE_SECONDS",
                "how long a due delivery may wait for a worker before `/health/ready` answers 503",
            ),
            Described(
                "HUB_ALERT_MESSAGES_PER_HOUR",
                "how many [messages about alerts](../how-to/be-told.md) go out within an hour; more are held back",
            ),
            Described(
                "HUB_SELF_CHECK_SECONDS",
                "how often the hub sends itself a [signed event](../how-to/be-told.md#the-self-check); 0 is never",
            ),
            Described("HUB_SELF_CHECK_URL", "address to which it is sent, over HTTP; empty: within a worker"),
            Described(
                "HUB_DOCS_URL",
                "where this documentation is served as HTML, for links from alerts to [runbooks](../runbooks/index.md)",
            ),
            Described(
                "HUB_AUTOMATIONS",
                "packages with [handlers of your own](../how-to/write-a-handler.md), such as `orders,crm`; beside "
                "`manage.py`, or installed",
            ),
        ),
    ),
    (
        "Receiving",
        (
            Described(
                "HUB_BODY_SECONDS",
                "time in which a request's body has to arrive (with gunicorn, which is what `manage.py hub` runs); its "
                "head has to within the same, at most 10 seconds",
            ),
            Described(
                "HUB_BODY_DEDUPE_SECONDS",
                "how long an identical body counts as a duplicate, where the provider sends no id",
            ),
            Described(
                "HUB_REJECTIONS_PER_ENDPOINT",
                "stored rejections of one endpoint; beyond it they are only counted",
            ),
            Described("HUB_REJECTION_BODY_BYTES", "bodies of refused requests are kept up to this size"),
            Described(
                "HUB_REJECTION_BYTES_PER_ENDPOINT",
                "bytes that the stored rejections of one endpoint take together; beyond it the source that has most "
                "loses its oldest",
            ),
        ),
    ),
    (
        "How long things are kept",
        (
            Described(
                "HUB_BODY_DAYS",
                "age at which the raw bodies of events are removed, 0: never. This age and the next four are defaults "
                "that an endpoint can override; see [How long things are kept](../how-to/retention.md)",
            ),
            Described(
                "HUB_ARCHIVE_DIR",
                "folder that events are written to before their bodies are removed, as gzip of JSON lines; empty: none "
                "are archived. `manage.py restore_archive` brings them back",
            ),
            Described(
                "HUB_ARCHIVE_CONNECTION",
                "connection of kind `s3`, `gcs`, `azure` or `folder`, and of no group, that events are archived with "
                "instead; see [How long things are kept](../how-to/retention.md)",
            ),
            Described(
                "HUB_OBJECTS_DIR",
                "folder below which connections of kind `folder` write, wherever they lead; empty: they write nothing",
            ),
            Described(
                "HUB_DATABASE_DISK_BYTES",
                "bytes that the disk of the database has, for the forecast of when it is full; 0: SQLite's own disk is "
                "looked at, of PostgreSQL's it is not known",
            ),
            Described("HUB_HEADERS_DAYS", "age at which headers and query strings of events are removed, 0: never"),
            Described(
                "HUB_ATTEMPT_DAYS",
                "days after a delivery's end until messages, tracebacks, logs and answers of its attempts are removed, "
                "0: never; outcome and duration stay",
            ),
            Described(
                "HUB_DEAD_LETTER_DAYS",
                "days that a dead letter keeps its body, headers and attempts whatever the ages above say, 0: for ever",
            ),
            Described(
                "HUB_EVENT_DAYS",
                "age at which events go with their deliveries and attempts, 0: never. Their dedupe keys stay",
            ),
            Described(
                "HUB_REJECTION_DAYS", "age at which rejections are removed, by the workers and `manage.py prune`"
            ),
            Described(
                "HUB_SHAPE_DAYS",
                "age at which what was [learned of an event type's payloads](../how-to/watch-for-drift.md) goes, since "
                "it last came; 0: nothing is learned",
            ),
            Described(
                "HUB_STATS_DAYS",
                "age at which workers and `manage.py prune` remove statistics by the day; those by the hour go after "
                "35 days, by the minute after one",
            ),
            Described(
                "HUB_AUDIT_DAYS", "age at which `manage.py prune` and the workers remove entries of the audit log"
            ),
            Described("HUB_ALERT_DAYS", "how long after its end an alert is listed; then the workers remove it"),
        ),
    ),
    (
        "Overload",
        (
            Described(
                "HUB_SHED_QUEUE_SECONDS",
                "once deliveries wait for so long, endpoints of low priority answer 503, the lowest first, the highest "
                "at twice as long ([overload](../how-to/survive-overload.md)); 0: a queue may grow as old as it likes",
            ),
            Described(
                "HUB_SHED_WAIT_MILLISECONDS",
                "once every request waits so long for a thread of the web server, endpoints of low priority answer "
                "503, the lowest first, those of priority 9 never; 0: all wait alike",
            ),
            Described(
                "HUB_DISK_FREE_MB",
                "with less free on the database's disk new events get 503 before the database fails; with less than "
                "twice as much workers pause and rejections are only counted; 0: no guard",
            ),
            Described(
                "HUB_DATABASE_DIR",
                "folder on this machine whose disk the database fills: the data directory of a PostgreSQL that runs "
                "here",
                default="the folder of the SQLite file; not known for PostgreSQL",
            ),
        ),
    ),
    (
        "Protection",
        (
            Described(
                "HUB_API_REQUESTS_PER_MINUTE",
                "API requests of one token; a minute's worth may come at once. Counted, as the next two, over all "
                "web processes of a machine",
            ),
            Described(
                "HUB_REFUSED_TOKENS_PER_MINUTE",
                "requests of one address with a token that is none, then 429; good tokens are answered all the same",
            ),
            Described(
                "HUB_FAILED_LOGINS_PER_MINUTE",
                "failed logins of one address, then 429 without a look at the password. Behind a proxy set "
                "`HUB_TRUSTED_PROXIES`, else everybody has the proxy's address",
            ),
        ),
    ),
    (
        "Signing in",
        (
            Described("HUB_PASSWORD_LENGTH", "characters that a new password has at least"),
            Described("HUB_SESSION_HOURS", "how long after logging in one has to log in again"),
            Described(
                "HUB_SESSION_IDLE_MINUTES",
                "how long without a click until one has to log in again; what pages fetch by themselves does not count",
            ),
            Described(
                "HUB_REQUIRE_SECOND_FACTOR",
                "everybody has to set up [a second factor](../how-to/sign-in-safely.md) before they see anything else",
            ),
            Described(
                "HUB_OIDC_ISSUER",
                "the provider of [single sign-on](../how-to/sign-in-safely.md#single-sign-on) (OpenID Connect), such "
                "as `https://sso.example.com/realms/staff`",
            ),
            Described("HUB_OIDC_CLIENT_ID", "the hub's name at the provider"),
            Described("HUB_OIDC_CLIENT_SECRET", "its secret there"),
            Described("HUB_OIDC_NAME", "what the button on the login page says"),
            Described("HUB_OIDC_CLAIM", "the claim that says who may do what; a text or a list"),
            Described(
                "HUB_OIDC_ROLES",
                "which of its values gives which role: `hub-admins=administrator,hub-team=operator`. Who has none of "
                "them is not let in",
            ),
            Described("HUB_OIDC_SCOPES", "what the provider is asked for"),
            Described(
                "HUB_OIDC_PROVES_SECOND_FACTOR",
                "the provider asks for a second factor itself: a login by it counts as one with",
            ),
        ),
    ),
    (
        "Logs",
        (
            Described("LOG_FORMAT", "for people, or for programs"),
            Described("LOG_LEVEL", "what is less grave is left out; of libraries nothing below `INFO` is logged"),
        ),
    ),
    (
        "Traces and errors",
        (
            Described(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "base address of a collector of [traces](../how-to/trace.md), OTLP over HTTP; none: no traces",
            ),
            Described(
                "OTEL_EXPORTER_OTLP_HEADERS",
                "what is sent along to it, such as `authorization=Bearer%20...`",
            ),
            Described("OTEL_SERVICE_NAME", "what the hub is called in traces"),
            Described("SENTRY_DSN", "where unexpected errors are [reported](../how-to/trace.md#errors)"),
            Described("SENTRY_ENVIRONMENT", "what this hub is called there"),
        ),
    ),
)


def rows(declared: Mapping[str, Declared]) -> list[tuple[str, list[Row]]]:
    """Return the reference's tables by title; what is read and not described comes last, without a meaning."""
    described = {entry.name for _, entries in SECTIONS for entry in entries}
    left = [Described(name, "") for name in declared if name not in described]
    sections: list[Section] = [*SECTIONS, *([("Not described yet", left)] if left else [])]
    return [(title, [_row(entry, declared.get(entry.name)) for entry in entries]) for title, entries in sections]


def _row(entry: Described, declared: Declared | None) -> Row:
    if declared is None:
        return Row(entry.name, entry.value, entry.default, entry.meaning)
    return Row(entry.name, declared.kind, entry.default or _shown(declared.default), entry.meaning)


def _shown(default: object) -> str:
    if default is None:
        return "none, required"
    if default in ("", []):
        return "none"
    shown = ", ".join(map(str, default)) if isinstance(default, list) else default
    return str(shown) if isinstance(shown, int) else f"`{shown}`"
