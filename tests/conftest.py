"""Fixtures that every test may use."""

import pytest


@pytest.fixture(autouse=True)
def no_endpoints_of_an_earlier_test() -> None:
    """A test's rows are rolled back without a word; what the receiving path has cached of them goes too."""
    from deliveries.receiving import endpoints

    endpoints.forget()
