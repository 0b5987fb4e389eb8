"""What the tests of the client share: a client whose workers share nothing, and the secret that must not be seen."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from django.test import SimpleTestCase

from integrations.connectors.client import ANSWER_BYTES, Frame, HttpClient
from integrations.connectors.exchange import Exchange
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.tries import Tries
from integrations.connectors.waits import Budget
from tests.integrations.connectors.servers import (
    Seen,
    Server,
    serving,
    talking,
)

LOOPBACK = (ip_network("127.0.0.0/8"),)
METADATA = "http://169.254.169.254/latest/meta-data/"
SECRET = "sword/fish&12345"


class OpenGate:
    """Lets every call through and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.budgets: list[Budget | None] = []

    def enter(self) -> float:
        return 0.0

    def answered(self, status: int, *, told: Budget | None, wait: timedelta | None) -> None:
        self.told.append(status if wait is None else (status, round(wait.total_seconds())))
        self.budgets.append(told)

    def failed(self, text: str) -> None:
        self.told.append(text)


class NoTokens:
    def current(self, seconds: float) -> str:
        raise AssertionError("no token is wanted")

    def refused(self, token: str) -> None:
        raise AssertionError("no token was used")


class ClientTestCase(SimpleTestCase):
    def setUp(self) -> None:
        self.gate = OpenGate()
        self.kept: list[Mapping[str, Any]] = []

    def client_of(self, url: str, *, exchange: Mapping[str, Any] | None = None, **values: Any) -> HttpClient:
        usual: dict[str, Any] = {"allow": LOOPBACK, "tries": Tries(3, 0.001, 1), "idempotency_header": ""}
        spec = ConnectionSpec(name="crm", base_url=url, **{**usual, **values})
        frame = Frame(left=lambda: 60.0, key=str, record=self.kept.append, sleep=lambda _seconds: None)
        sent_by = Exchange(spec, ANSWER_BYTES, **(exchange or {}))
        return HttpClient(spec, gate=self.gate, tokens=NoTokens(), frame=frame, exchange=sent_by)

    def server(self, **values: Any) -> Server:
        return self.enterContext(serving(Server(**values)))

    def talking(self, talk: Callable[[socket.socket], None]) -> str:
        return self.enterContext(talking(talk))


def holds_secret(seen: Seen) -> bool:
    return "12345" in f"{seen.path} {seen.headers}"
