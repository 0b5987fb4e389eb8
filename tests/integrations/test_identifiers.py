"""Identifiers that grow with time."""

from __future__ import annotations

import time
import uuid

from integrations.identifiers import uuid7


class TestAnIdentifier:
    def test_is_a_uuid_of_version_7(self) -> None:
        made = uuid7()
        assert type(made) is uuid.UUID
        assert (made.version, made.variant) == (7, uuid.RFC_4122)

    def test_says_when_it_was_made(self) -> None:
        before = time.time_ns() // 1_000_000
        made = uuid7()
        assert before <= made.int >> 80 <= time.time_ns() // 1_000_000

    def test_sorts_after_the_ones_made_before_and_is_never_made_twice(self) -> None:
        made = []
        for _ in range(5):
            made.append(uuid7())
            time.sleep(0.002)
        assert made == sorted(made)
        assert len({uuid7() for _ in range(10_000)}) == 10_000
