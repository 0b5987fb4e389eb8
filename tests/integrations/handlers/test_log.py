"""The handler that only writes a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.test import SimpleTestCase

from integrations.contracts import Context
from integrations.handlers import handlers
from tests.integrations.handlers.test_http_forward import EVENT, NOW, Recorder


class Lines(Recorder):
    """A journal that keeps log lines too."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, Mapping[str, Any]]] = []

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        self.lines.append((message, fields))


class LogTests(SimpleTestCase):
    def test_notes_type_id_and_size_and_nothing_of_the_content(self) -> None:
        journal = Lines()
        handlers["log"].run(EVENT, Context({}, "d", "k", "r", 1, 30, NOW, journal))

        self.assertEqual(
            journal.lines, [("event", {"type": "release.published", "id": "72d3162e", "body_bytes": len(EVENT.body)})]
        )
        self.assertEqual(journal.answers, [])
