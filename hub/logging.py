"""Logs: an event name plus fields, as JSON lines or for a terminal. No bodies, no secrets."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from django.core.exceptions import ImproperlyConfigured

_OURS = ("hub", "deliveries", "integrations")
_SPEAKS_OF_CODE = frozenset(
    {AttributeError, ImportError, ImproperlyConfigured, MemoryError, ModuleNotFoundError, NameError, RecursionError}
)

_OF_EACH_LINE = frozenset({"timestamp", "level", "event", "logger"})
#: Fields that are rendered on lines of their own.
_OF_ERRORS = frozenset({"exc_info", "exception", "stack"})

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
#: One list for all time: loggers keep it from their first line on, and what captures lines changes it in place.
_OF_STRUCTLOG: list[Any] = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def logging_config(log_format: str, *, level: str, own: Sequence[str] = ()) -> dict[str, Any]:
    """Configure structlog and return the standard library's ``dictConfig`` for ``console`` or ``json``.

    Below INFO only the hub and the packages named in ``own`` are logged: what libraries say there is made for people
    who look for an error in them, and can quote whatever they work on.
    """
    structlog.configure(
        processors=_OF_STRUCTLOG,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.setLoggerClass(_Logger)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "hub": {
                "()": Formatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(log_format),
                ],
            }
        },
        "filters": {"refused": {"()": RefusedRequests}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "hub", "filters": ["refused"]}},
        "root": {"handlers": ["stderr"], "level": "INFO" if level == "DEBUG" else level},
        "loggers": {
            **{name: {"level": level} for name in (*_OURS, *own)},
            # Its name for each start and stop of a task is noise: our tasks are drains.
            "django-q": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
            # A 4xx is an answer, not an incident; the refusals are logged by name where they are decided.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Each try, each batch and each dropped span; `traces.not_sent` says it once.
            "opentelemetry": {"level": "CRITICAL"},
            "azure": {"level": "WARNING"},
            "gcsfs": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


class Formatter(structlog.stdlib.ProcessorFormatter):
    """structlog's formatter, with a shorter way for its own lines that tell of no error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        fields: Any = record.msg
        if not hasattr(record, "_logger") or not isinstance(fields, dict) or not _OF_ERRORS.isdisjoint(fields):
            return super().format(record)
        return str(self.processors[-1](None, "", fields.copy()))


class _Logger(logging.Logger):
    """A logger that does not look for the line of code that it is called from: no line of the log says that."""

    def findCaller(  # noqa: N802 - a method of the standard library's
        self, stack_info: bool = False, stacklevel: int = 1
    ) -> tuple[str, int, str, str | None]:
        if stack_info:
            return super().findCaller(stack_info, stacklevel)
        return "(unknown file)", 0, "(unknown function)", None


class RefusedRequests(logging.Filter):
    """What Django refuses as suspicious, such as a form of a thousand fields: strangers cause it, so it is one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, having taken the traceback and line breaks off such a record."""
        if record.name.startswith("django.security."):
            record.msg, record.args = record.getMessage().encode("unicode_escape").decode("ascii"), ()
            record.exc_info = record.exc_text = None
        return True


def frames(exc_info: Any) -> str:
    """Return a traceback without the texts of the errors, which can be pieces of what was being worked on.

    Those of a few kinds, which speak of the code alone, stay.
    """
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        stack = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{stack}{_named(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhich came of, or while handling:\n\n".join(parts)


def _plain_frames(stream: TextIO, info: Any) -> None:
    stream.write(frames(info))


def _named(error: BaseException) -> str:
    name = type(error).__qualname__
    if type(error) in _SPEAKS_OF_CODE:
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name


class _Json:
    """structlog's renderer, with one encoder for all lines."""

    def __init__(self) -> None:
        rest = structlog.processors.JSONRenderer()._dumps_kw
        self._encode = json.JSONEncoder(**rest).encode

    def __call__(self, logger: Any, name: str, fields: MutableMapping[str, Any]) -> str:
        return self._encode(fields)


class _Console:
    """structlog's renderer for a terminal; what it writes of a plain line is written here at once."""

    def __init__(self) -> None:
        # repr of texts, so that a sender's line break cannot begin a line of its own; and a formatter of tracebacks,
        # because the one that "rich", if it is installed, puts in its place shows local variables, secrets among them.
        self._whole = structlog.dev.ConsoleRenderer(
            colors=False, repr_native_str=True, exception_formatter=_plain_frames
        )

    def __call__(self, logger: Any, name: str, fields: MutableMapping[str, Any]) -> str:
        if not fields.keys() >= _OF_EACH_LINE or not _OF_ERRORS.isdisjoint(fields) or "logger_name" in fields:
            return self._whole(logger, name, fields)
        head = (
            f"{fields.pop('timestamp')} [{fields.pop('level'):9}] {fields.pop('event')!s:30} [{fields.pop('logger')}]"
        )
        return " ".join([head, *[f"{key}={fields[key]!r}" for key in sorted(fields)]]).rstrip(" ")


def _renderers(log_format: str) -> list[Any]:
    if log_format == "json":
        return [
            structlog.processors.ExceptionRenderer(frames),
            _Json(),
        ]
    return [_Console()]
