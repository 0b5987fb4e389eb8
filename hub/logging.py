"""Logs: an event name plus fields, as JSON lines or for a terminal. No bodies, no secrets."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import Any, TextIO

import structlog
from django.core.exceptions import ImproperlyConfigured

_OURS = ("hub", "deliveries", "integrations")
_SPEAKS_OF_CODE = frozenset(
    {AttributeError, ImportError, ImproperlyConfigured, MemoryError, ModuleNotFoundError, NameError, RecursionError}
)

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
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "hub": {
                "()": structlog.stdlib.ProcessorFormatter,
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
            # Each try and each dropped span; that a batch could not be sent is an error.
            "opentelemetry": {"level": "ERROR"},
            "azure": {"level": "WARNING"},
            "gcsfs": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


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


def _renderers(log_format: str) -> list[Any]:
    if log_format == "json":
        return [
            structlog.processors.ExceptionRenderer(frames),
            structlog.processors.JSONRenderer(),
        ]
    # repr of texts, so that a sender's line break cannot begin a line of its own; and a formatter of tracebacks,
    # because the one that "rich", if it is installed, puts in its place shows local variables, secrets among them.
    return [structlog.dev.ConsoleRenderer(colors=False, repr_native_str=True, exception_formatter=_plain_frames)]
