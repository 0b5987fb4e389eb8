"""Trying a connection: one GET, by order of a person, whatever its circuit and rate say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from integrations.calling import gate
from integrations.calling.opening import MakeExchange, client_for, system_for
from integrations.connectors.client import Frame
from integrations.connectors.exchange import Exchange
from integrations.connectors.kinds import ConnectionKind, kinds
from integrations.connectors.tries import Tries
from integrations.connectors.waits import Budget
from integrations.errors import GiveUp, HubError
from integrations.models import Connection, ConnectionHealth

_LONGEST_SECONDS = 15.0


@dataclass(frozen=True)
class Trial:
    """What came of it: ``is_well`` if the answer was 2xx or 3xx; ``text`` is for the operator and holds no secret."""

    is_well: bool
    text: str
    status: int | None = None
    milliseconds: int | None = None


class _OpenGate:
    """Lets the one call through; a success closes the circuit, a failure changes nothing but the last error."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enter(self) -> float:
        return 0.0

    def answered(self, status: int, *, told: Budget | None, wait: timedelta | None) -> None:
        if status < 500:
            place = gate.Place(0.0, probe=True, was_well=False)
            gate.succeeded(self._connection, place, now=timezone.now(), told=told)
        else:
            self.failed(f"answered {status}")

    def failed(self, text: str) -> None:
        rows = ConnectionHealth.objects.filter(pk=self._connection.pk)
        rows.update(last_error=text[:500], last_error_at=timezone.now())


def try_connection(connection: Connection, *, make_exchange: MakeExchange = Exchange) -> Trial:
    """GET the connection's ``test_path``, or what its kind asks instead, once; return what came of it."""
    ConnectionHealth.objects.get_or_create(connection=connection)
    kept: dict[str, Any] = {}

    def record(summary: Mapping[str, Any]) -> None:
        kept.update(summary)

    frame = Frame(left=lambda: _LONGEST_SECONDS, key=lambda _name: str(uuid4()), record=record)
    kind = kinds.get(connection.kind) or ConnectionKind(connection.kind)
    try:
        if not kind.is_http:
            return Trial(True, _probed(connection, kind, frame), None, kept.get("duration_ms"))
        client = client_for(connection, frame, make_exchange=make_exchange, gate=_OpenGate(connection), tries=Tries(1))
        answer = kind.ask(client, connection.test_path) if kind.ask else client.get(connection.test_path)
    except HubError as exc:
        return Trial(False, str(exc))
    text = f"{answer.call} answered {answer.status_code}"
    if answer.status_code in {401, 403}:
        text += ": the credentials are not taken, or do not suffice"
    return Trial(answer.status_code < 400, text, answer.status_code, kept.get("duration_ms"))


def _probed(connection: Connection, kind: ConnectionKind, frame: Frame) -> str:
    if kind.probe is None:
        raise GiveUp(f"There is no test for connections of kind {connection.kind}.")
    system = system_for(connection, frame, gate=_OpenGate(connection), tries=Tries(1))
    return f"{connection.name} {kind.probe(system, connection.test_path)}"
