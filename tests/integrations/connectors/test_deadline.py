"""One deadline over several waits."""

from __future__ import annotations

import httpcore
import pytest

from integrations.connectors.deadline import Deadline


class TestADeadline:
    def test_leaves_each_wait_its_own_timeout_or_what_is_left(self) -> None:
        now = [100.0]
        deadline = Deadline(10, clock=lambda: now[0])
        assert deadline.within(None, httpcore.ReadTimeout) == 10
        assert deadline.within(3, httpcore.ReadTimeout) == 3
        now[0] = 108.0
        assert deadline.within(3, httpcore.ReadTimeout) == 2

    @pytest.mark.parametrize("error", [httpcore.ConnectTimeout, httpcore.ReadTimeout, httpcore.WriteTimeout])
    def test_ends_every_wait_with_the_error_of_its_kind(self, error: type[httpcore.TimeoutException]) -> None:
        now = [0.0]
        deadline = Deadline(10, clock=lambda: now[0])
        now[0] = 10.0
        with pytest.raises(error):
            deadline.within(None, error)
