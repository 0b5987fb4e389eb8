"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from itertools import groupby

import pytest
from django.test import SimpleTestCase, TransactionTestCase

from tests import databases, log_watch
from tests.emptying import replace_flush

databases.share_template()
databases.replace_creation()
replace_flush()
log_watch.start()


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
    """Put the journeys between the others, which keep their order; the last tenth has none.

    Journeys wait more than they work: beside them there has to be something to do, and at the end no long one is left.
    Those of a module stay together, as they share what is started for them.
    """
    of_journeys = [item for item in items if item.get_closest_marker("journey")]
    others = [item for item in items if not item.get_closest_marker("journey")]
    modules = [list(of) for _, of in groupby(of_journeys, lambda item: item.path)]
    gap = len(others) * 0.9 / max(len(modules), 1)
    spread: list[pytest.Item] = []
    for number, journeys in enumerate(modules):
        spread += [*others[int(number * gap) : int((number + 1) * gap)], *journeys]
    return spread + others[int(len(modules) * gap) :]


def _is_proved_on_sqlite(item: pytest.Item) -> bool:
    """Return whether it asks no database, or says that it makes no difference which."""
    if item.get_closest_marker("any_database"):
        return True
    owner = getattr(item, "cls", None)
    if owner is not None and issubclass(owner, SimpleTestCase):
        return not issubclass(owner, TransactionTestCase)
    asks = {"db", "transactional_db"}.intersection(getattr(item, "fixturenames", ()))
    return not (asks or item.get_closest_marker("django_db") or item.get_closest_marker("journey"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to note secrets and lines before what a class makes for all of its tests."""
    log_watch.suite.begin(getattr(item, "cls", None) or getattr(item, "module", None))


@pytest.fixture(autouse=True)
def no_secret_in_the_log() -> Iterator[None]:
    """Whatever a test logs holds nothing of what it keeps secret."""
    yield
    assert log_watch.suite.found() == []


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
