"""From a handler's context to a client: which connection, which keys, and the client that is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from integrations.calling.opening import StoredConnections
from integrations.connectors.answers import Answer
from integrations.contracts import Context
from integrations.errors import ConnectionMissing
from integrations.models import EndpointGroup
from tests.factories import make_endpoint
from tests.integrations.calling.test_client import CallingTestCase

DELIVERY = uuid4()


class Kept:
    """A journal that keeps steps, for several attempts."""

    def __init__(self) -> None:
        self.steps: dict[str, Any] = {}
        self.responses: list[Any] = []
        self.calls: list[Any] = []

    def log(self, message: str, fields: Any) -> None:
        raise AssertionError(message)

    def once(self, key: str, run: Callable[[], Any]) -> Any:
        if key not in self.steps:
            self.steps[key] = run()
        return self.steps[key]

    async def aonce(self, key: str, run: Callable[[], Awaitable[Any]]) -> Any:
        if key not in self.steps:
            self.steps[key] = await run()
        return self.steps[key]

    def response(self, summary: Any) -> None:
        self.responses.append(summary)

    def sent(self, call: Any) -> None:
        self.calls.append(call)

    def emit(self, event_type: str, payload: Any, endpoint: str) -> None:
        raise AssertionError(event_type)


class OpeningTestCase(CallingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.journal = Kept()

    def attempt(self, endpoint_id: UUID | None = None) -> Context:
        """Return the context of a new attempt of one delivery."""
        return Context(
            config={},
            delivery_id=str(DELIVERY),
            idempotency_key=str(DELIVERY),
            route="r",
            attempt=1,
            timeout_seconds=30,
            deadline=datetime.now(UTC) + timedelta(seconds=30),
            journal=self.journal,
            connections=StoredConnections(endpoint_id or uuid4()),
        )

    def keys(self) -> list[str]:
        return [sent.headers["Idempotency-Key"] for sent in self.system.requests]


class KeyTests(OpeningTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.system.connection("crm", idempotency_header="Idempotency-Key")

    def test_is_another_for_each_call_and_the_same_at_the_next_attempt(self) -> None:
        for _ in range(2):
            context = self.attempt()
            for name in ("ada", "grace"):
                context.http("crm").post("/contacts", json={"name": name})  # each by a client of its own

        self.assertEqual(len(set(self.keys())), 2)
        self.assertEqual(self.keys()[:2], self.keys()[2:])

    def test_is_not_shifted_by_a_step_that_is_kept(self) -> None:
        for _ in range(2):
            context = self.attempt()

            def save(context: Context = context) -> Any:
                return context.http("crm").post("/contacts", json={"name": "ada"}).json()

            context.once("ada", save)
            context.http("crm").post("/contacts", json={"name": "grace"})

        first, second, again = self.keys()
        self.assertNotEqual(first, second)
        self.assertEqual(second, again)

    def test_is_not_shifted_by_a_step_that_is_awaited(self) -> None:
        async def run(context: Context) -> None:
            client = context.ahttp("crm")

            async def save() -> Any:
                return (await client.post("/contacts", json={"name": "ada"})).json()

            await context.aonce("ada", save)
            await client.post("/contacts", json={"name": "grace"})

        for _ in range(2):
            asyncio.run(run(self.attempt()))

        first, second, again = self.keys()
        self.assertNotEqual(first, second)
        self.assertEqual(second, again)

    def test_of_the_callers_own_is_sent_as_it_is(self) -> None:
        self.attempt().http("crm").post("/contacts", json={}, idempotency_key="mine")

        self.assertEqual(self.keys(), ["mine"])


class AsyncTests(OpeningTestCase):
    def test_calls_are_made_while_the_loop_goes_on(self) -> None:
        self.system.connection("crm", kept_response_bytes=10)
        self.system.answers(200, b'{"id": 7}')

        async def run() -> list[Answer]:
            client = self.attempt().ahttp("crm")
            return await asyncio.gather(client.get("/a"), client.put("/b", json=[]), client.head("/c"))

        answers = asyncio.run(run())

        self.assertEqual([answer.status_code for answer in answers], [200] * 3)
        self.assertEqual(answers[0].json(), {"id": 7})
        self.assertEqual([sent.path for sent in self.system.requests], ["/a", "/b", "/c"])
        self.assertEqual(
            [kept["call"] for kept in self.journal.responses], ["crm: GET /a", "crm: PUT /b", "crm: HEAD /c"]
        )

    def test_missing_connection_shows_at_the_first_call(self) -> None:
        client = self.attempt().ahttp("nothing")

        with self.assertRaisesMessage(ConnectionMissing, "no connection 'nothing'"):
            asyncio.run(client.get())


class ReachTests(OpeningTestCase):
    def test_is_for_endpoints_of_the_connections_group(self) -> None:
        group, other = EndpointGroup.objects.create(name="a"), EndpointGroup.objects.create(name="b")
        inside, outside = make_endpoint(), make_endpoint()
        group.endpoints.add(inside)
        other.endpoints.add(outside)
        self.system.connection("crm", group=group)

        self.assertEqual(self.attempt(inside.pk).http("crm").get().status_code, 200)
        with self.assertRaisesMessage(ConnectionMissing, "no connection 'crm'"):
            self.attempt(outside.pk).http("crm")

    def test_without_a_group_is_for_all(self) -> None:
        self.system.connection("crm")

        self.assertEqual(self.attempt(make_endpoint().pk).http("crm").get().status_code, 200)
