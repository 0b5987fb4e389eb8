"""Fixtures that every test may use."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_endpoints_of_an_earlier_test() -> Iterator[None]:
    """A test's rows are rolled back without a word; what the receiving path has cached of them goes too."""
    from deliveries import logins
    from deliveries.api import throttling
    from deliveries.receiving import endpoints
    from deliveries.receiving.tally import tally

    endpoints.forget()
    logins.forget()
    throttling.forget()
    yield
    tally.take()
