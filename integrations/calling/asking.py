"""Asking a provider what it sent, by a connection: its address and proof, with the limits that all workers share."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx

from integrations.calling.opening import client_for
from integrations.connectors.answers import Answer
from integrations.connectors.client import AnswerTooLarge, Frame, OutOfTime
from integrations.connectors.exchange import Exchange
from integrations.connectors.http import CallFailed
from integrations.connectors.spec import ConnectionSpec
from integrations.errors import GiveUp, RetryLater
from integrations.history import AccessRefused, NotAnswered, TooManyRequests
from integrations.models import Connection

#: One question may take so long, its waits and further tries included.
_CALL_SECONDS = 30.0
#: A page of a hundred events, or one of GitHub's payloads, which are up to 25 MB.
_ANSWER_BYTES = 64 * 1024 * 1024


class ConnectionApi:
    """An `integrations.history.Api` that asks by ``connection``; raises `ConnectionMissing` if its proof is lost."""

    def __init__(self, connection: Connection) -> None:
        self._ends_at = 0.0
        # Nothing is kept of answers: they hold what customers did, and belong to no attempt.
        frame = Frame(left=self._left, key=lambda name: name, record=lambda _summary: None)
        self._client = client_for(connection, frame, make_exchange=_for_pages)

    def get(self, url: str, *, params: Mapping[str, str]) -> httpx.Response:
        """Return the answer; raises `NotAnswered`, whose text says what went wrong and holds no credential."""
        self._ends_at = time.monotonic() + _CALL_SECONDS
        try:
            answer = self._in_turn(url, params)
        except RetryLater as exc:
            raise TooManyRequests(str(exc)) from None
        except (CallFailed, AnswerTooLarge, OutOfTime) as exc:
            raise NotAnswered(str(exc)) from None
        except GiveUp as exc:
            raise AccessRefused(str(exc)) from None
        # What was compressed unasked stays so, and is no JSON: unpacked it could be of any size.
        kept = [pair for pair in answer.headers.multi_items() if pair[0].lower() != "content-encoding"]
        return httpx.Response(answer.status_code, headers=kept, content=answer.content)

    def _in_turn(self, url: str, params: Mapping[str, str]) -> Answer:
        while True:
            try:
                return self._client.get(url, params=params)
            except RetryLater as exc:
                if exc.after.total_seconds() >= self._left():
                    raise
                time.sleep(max(0.0, exc.after.total_seconds()))

    def _left(self) -> float:
        return self._ends_at - time.monotonic()


def _for_pages(spec: ConnectionSpec, _answer_bytes: int) -> Exchange:
    return Exchange(spec, _ANSWER_BYTES)
