"""Logs: an event name plus fields, as JSON lines or for a terminal. No bodies, no secrets."""

from __future__ import annotations

import logging
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(log_format: str, *, level: str) -> dict[str, Any]:
    """Configure structlog and return the standard library's ``dictConfig`` for ``console`` or ``json``."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
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
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Its name for each start and stop of a task is noise: our tasks are drains.
            "django-q": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
            # A 4xx is an answer, not an incident; the refusals are logged by name where they are decided.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
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


def _renderers(log_format: str) -> list[Any]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # repr of texts, so that a sender's line break cannot begin a line of its own; and the plain traceback, because the
    # one that "rich", if it is installed, puts in its place shows local variables, secrets among them.
    return [
        structlog.dev.ConsoleRenderer(
            colors=False, repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
        )
    ]
