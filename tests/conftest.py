"""Fixtures that every test may use."""

import os
from collections.abc import Iterator

import pytest
from django.test import SimpleTestCase, TransactionTestCase

from tests.emptying import replace_flush

replace_flush()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of each run what the other proves for both."""
    if os.environ.get("TEST_DATABASE_URL"):
        left_out = [item for item in items if _is_proved_on_sqlite(item)]
    else:
        left_out = [item for item in items if item.get_closest_marker("stricter_database")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = _spread([item for item in items if item not in set(left_out)])


def _spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """Let every other worker begin with journeys.

    Each takes a share of the list as it stands, later one takes from another. Journeys wait more than they work: beside
    them there has to be something to do, and at the end no long one may be left.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return items
    journeys = [item for item in items if item.get_closest_marker("journey")]
    others = [item for item in items if not item.get_closest_marker("journey")]
    beginners = range(0, workers, 2)
    spread: list[pytest.Item] = []
    for worker in range(workers):
        share = len(items) * (worker + 1) // workers - len(spread)
        first = journeys[worker // 2 :: len(beginners)] if worker in beginners else []
        spread += first + others[: max(share - len(first), 0)]
        del others[: max(share - len(first), 0)]
    return spread + others


def _is_proved_on_sqlite(item: pytest.Item) -> bool:
    """Return whether it asks no database, or says that it makes no difference which."""
    if item.get_closest_marker("any_database"):
        return True
    owner = getattr(item, "cls", None)
    if owner is not None and issubclass(owner, SimpleTestCase):
        return not issubclass(owner, TransactionTestCase)
    asks = {"db", "transactional_db"}.intersection(getattr(item, "fixturenames", ()))
    return not (asks or item.get_closest_marker("django_db") or item.get_closest_marker("journey"))


@pytest.fixture(autouse=True)
def no_endpoints_of_an_earlier_test() -> Iterator[None]:
    """A test's rows are rolled back without a word; what the receiving path has cached of them goes too."""
    from deliveries import logins
    from deliveries.api import throttling
    from deliveries.receiving import endpoints
    from deliveries.receiving.tally import tally
    from deliveries.stats.counting import counting

    endpoints.forget()
    logins.forget()
    throttling.forget()
    yield
    tally.take()
    counting.take()
