"""Everything that the whole suite logs, searched for everything that it keeps secret.

What is secret is noted where it comes into the hub, whatever the test: plain texts that are encrypted, passwords and
tokens that somebody logs in with, and bodies, queries and headers of webhooks. What is logged is every record of every
logger, formatted by the hub's own formatter. A test fails whose lines hold any of it.
"""

from __future__ import annotations

import copy
import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from cryptography.fernet import MultiFernet
from django.contrib.auth.base_user import AbstractBaseUser
from django.test.client import RequestFactory
from structlog.testing import LogCapture

from hub.logging import RefusedRequests, logging_config

#: Shorter ones are words, which lines hold by chance.
_LEAST_SECRET, _LEAST_TEXT = 8, 12
#: Words of the code, such as a state, an event's type or an error's class, and references to secrets: one that leads
#: nowhere is named. And the hub's own ids, which are of version 7, in an answer that is kept encrypted.
_NO_SECRET = re.compile(
    r"[a-z]+([._][a-z]+)*|([A-Z][a-z]+)+|(env|file):.*|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_SECRET_HEADER = re.compile(r"HTTP_(AUTHORIZATION|COOKIE|.*(TOKEN|SIGNATURE|SECRET|KEY).*)")
#: What lines say on purpose: names of endpoints, types and ids of events.
_SAID = re.compile(r"(slug|endpoint|handler|type|event|id|name|topic)$", re.IGNORECASE)
_QUERY = re.compile(r"[?&][^=&]+=([^&]*)")


class LogWatch:
    """Notes what is secret and what is logged; `found` tells of the lines of one test.

    Most tests log nothing: what came in is only kept, and taken apart where there are lines to look into.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._waiting: dict[tuple[bytes, int], None] = {}
        self._secrets: set[str] = set()
        self._owner: object = None
        options = dict(logging_config("json", level="INFO")["formatters"]["hub"])
        self._formatter: logging.Formatter = options.pop("()")(**options)
        self._refused = RefusedRequests()

    def begin(self, owner: object) -> None:
        """Begin a test of the class or module ``owner``, whose tests share what was made for all of them."""
        if owner is not self._owner:
            self._secrets.clear()
            self._waiting.clear()
            self._owner = owner
        self.lines.clear()

    def found(self) -> list[str]:
        """Return the lines that hold something secret; none is the rule, so they are looked at one by one only then."""
        if not self.lines:
            return []
        self._take_apart()
        lines = list(self.lines)  # threads go on
        text = "\n".join(lines)
        seen = [secret for secret in self._secrets if secret in text]
        return [f"{secret!r} is in {line}" for line in lines for secret in seen if secret in line]

    def note(self, raw: bytes, *, least: int = _LEAST_SECRET) -> None:
        """Keep ``raw`` in mind, or the texts in it that have ``least`` characters."""
        self._waiting[raw, least] = None

    def _take_apart(self) -> None:
        """Add what waits, as it is and as a line would write it."""
        waiting, self._waiting = self._waiting, {}
        for raw, least in waiting:
            for text in texts_of(raw):
                if len(text) >= least and not _NO_SECRET.fullmatch(text):
                    self._secrets |= {text, json.dumps(text)[1:-1], repr(text)[1:-1]}

    def logged(self, record: logging.LogRecord) -> None:
        """Take in one record, as the hub's handler would write it."""
        mine = copy.copy(record)
        if self._refused.filter(mine):
            self.lines.append(self._formatter.format(mine))

    def posted(self, path: str, data: Any, headers: Mapping[str, Any]) -> None:
        """Take in one request of a test's client."""
        for name, text in headers.items():
            if _SECRET_HEADER.fullmatch(name):
                self.note(str(text).encode())
        if not path.startswith("/hooks"):
            return
        for text in _QUERY.findall(path):
            self.note(unquote_plus(text).encode(), least=_LEAST_TEXT)
        self.note(data if isinstance(data, bytes) else str(data).encode(), least=_LEAST_TEXT)


def texts_of(raw: bytes) -> Iterator[str]:
    """Yield the texts in a JSON document but for those that lines say on purpose; of anything else the whole."""
    text = raw.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        yield text
        return
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [item for name, item in value.items() if not (_SAID.search(name) and isinstance(item, str))]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            yield value


#: That of the whole run.
suite = LogWatch()


def start() -> None:
    """Let `suite` watch from now on, for as long as the process lives."""
    _watch_lines(suite)
    _watch_secrets(suite)


def _watch_lines(watch: LogWatch) -> None:
    handle, capture = logging.Logger.handle, LogCapture.__call__

    def handling(self: logging.Logger, record: logging.LogRecord) -> None:
        watch.logged(record)
        handle(self, record)

    def capturing(self: LogCapture, logger: Any, name: str, fields: Any) -> Any:
        watch.lines.append(repr(fields))
        return capture(self, logger, name, fields)

    logging.Logger.handle = handling  # type: ignore[method-assign]
    LogCapture.__call__ = capturing  # type: ignore[method-assign]


def _watch_secrets(watch: LogWatch) -> None:
    encrypt, check, generic = MultiFernet.encrypt, AbstractBaseUser.check_password, RequestFactory.generic

    def encrypting(self: MultiFernet, msg: bytes) -> bytes:
        watch.note(bytes(msg))
        return encrypt(self, msg)

    def checking(self: AbstractBaseUser, raw_password: str) -> bool:
        watch.note(raw_password.encode())
        return check(self, raw_password)

    def requesting(self: RequestFactory, method: str, path: str, data: Any = "", *args: Any, **kwargs: Any) -> Any:
        named = (kwargs.get("headers") or {}).items()
        headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in named}
        given = {name: text for name, text in kwargs.items() if name.startswith("HTTP_")}
        watch.posted(str(path), data, {**self.defaults, **headers, **given})
        return generic(self, method, path, data, *args, **kwargs)

    MultiFernet.encrypt = encrypting  # type: ignore[method-assign]
    AbstractBaseUser.check_password = checking  # type: ignore[method-assign]
    RequestFactory.generic = requesting  # type: ignore[method-assign]
