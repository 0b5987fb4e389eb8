"""What the schema allows and what it forbids, sent to every operation: no answer is a 5xx or outside of the schema.

As an administrator, to whom everything is open, on a database with some rows. A few calls of each operation here; many
with `make fuzz`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from knox.models import AuthToken
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deliveries.receiving import endpoints
from hub.wsgi import application
from integrations.api.schema import openapi
from integrations.models import Connection
from tests.deliveries.api.cases import make_user
from tests.deliveries.api.some_rows import make_rows, of_nobody
from tests.deliveries.api.test_schema import strict

CALLS = int(os.environ.get("HUB_FUZZ_CALLS", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
JSON = "application/json"


def load() -> Any:
    """Return the schema, closed: an answer may not have a field that it does not name."""
    schema = schemathesis.openapi.from_dict(strict(openapi()), config=SchemathesisConfig())
    schema.app = application
    return schema


SCHEMA = load()
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
every_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: operation.definition.raw["operationId"]
)
many_calls = settings(
    max_examples=CALLS,
    deadline=None,
    database=None,
    derandomize=CALLS < 100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


class Caller:
    """An administrator with a token, who takes back whatever a call has done."""

    def __init__(self, known: dict[str, list[Any]]) -> None:
        self.known = known
        _, token = AuthToken.objects.create(make_user("ada", role="administrator"))
        self._headers = {"Authorization": f"Token {token}"}

    def status(self, case: Any) -> int:
        """Return the status of the answer to ``case``, once it is judged."""
        with undone():
            response = case.call(headers=self._headers)
        case.validate_response(response, checks=CHECKS)
        status: int = response.status_code
        return status

    def known_for(self, operation: Any, name: str) -> list[Any]:
        """Return what the parameter ``name`` in the path of ``operation`` can be."""
        resource = operation.path.removeprefix("/api/v1/").partition("/")[0]
        return self.known[resource] if name in {"id", "slug", "name"} else self.known[name]

    def point(self, draw: Any, case: Any) -> None:
        """Let most of what ``case`` names be something that is there: a random id finds nothing."""
        for name in case.path_parameters or {}:
            if draw(st.integers(0, 9)):
                case.path_parameters[name] = draw(st.sampled_from(self.known_for(case.operation, name)))
        case.query, case.body = self._pointed(draw, case.query), self._pointed(draw, case.body)

    def _pointed(self, draw: Any, values: Any) -> Any:
        """Return ``values`` with most of what they name replaced; a new dict, as an example is the schema's own."""
        if not isinstance(values, dict):
            return values
        pointed = dict(values)
        for name in sorted(self.known.keys() & values.keys()):
            alike = [known for known in self.known[name] if type(known) is type(values[name])]
            if alike and draw(st.integers(0, 9)):
                pointed[name] = draw(st.sampled_from(alike))
        return pointed


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    endpoints.forget()


@pytest.fixture
def caller(db: None) -> Iterator[Caller]:
    """Call within the test's own connection, and so its transaction, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield Caller(make_rows())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def strategies(operation: Any) -> Iterator[st.SearchStrategy[Any]]:
    """Yield what is allowed, and, where something can be forbidden, what is not."""
    yield operation.as_strategy(GenerationMode.POSITIVE)
    if operation.body or operation.query:
        yield operation.as_strategy(GenerationMode.NEGATIVE)


@every_operation
class TestAnOperation:
    @pytest.mark.stricter_database
    def test_answers_whatever_comes_as_the_schema_says(self, operation, caller) -> None:
        @many_calls
        @given(case=st.one_of(*strategies(operation)), data=st.data())
        def call(case: Any, data: Any) -> None:
            caller.point(data.draw, case)
            caller.status(case)

        call()

    @pytest.mark.any_database
    def test_succeeds_with_its_own_example(self, operation, caller, monkeypatch) -> None:
        content = operation.definition.raw.get("requestBody", {}).get("content", {})
        examples = [example["value"] for example in content.get(JSON, {}).get("examples", {}).values()]
        names = [parameter.name for parameter in operation.path_parameters]
        places = list(product(*(caller.known_for(operation, name) for name in names)))
        if operation.definition.raw["operationId"] == "create_endpoint":
            of_nobody("orders")
        if operation.definition.raw["operationId"] == "create_connection":
            Connection.objects.filter(name="crm").delete()
            monkeypatch.setenv("HUB_SECRET_CRM", "swordfish")

        for body in examples or [None]:
            with_body = {"body": body, "media_type": JSON} if content else {}
            statuses = [
                caller.status(operation.Case(path_parameters=dict(zip(names, place, strict=True)), **with_body))
                for place in places
            ]
            assert [status for status in statuses if 200 <= status < 300], (body, statuses)
