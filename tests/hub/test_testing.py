"""The fixtures that the hub offers to test automations with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from deliveries.execution import runner
from deliveries.models import Event, Verdict
from hub.testing.fixtures import clock, connections, hub
from integrations.calling.opening import StoredConnections
from integrations.models import Endpoint
from integrations.providers import providers
from tests.automations import handlers as automations
from tests.factories import make_event

pytestmark = pytest.mark.any_database

if TYPE_CHECKING:
    from hub.testing.clock import Clock
    from hub.testing.harness import HubUnderTest, Received
    from hub.testing.outside import FakeConnections

__all__ = ["clock", "connections", "hub"]


class TestTheHub:
    def test_delivers_an_event_that_is_signed_as_the_provider_signs(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")
        hub.route("gh", handler="test.note", events=["push"])

        received = hub.deliver("gh", {"ref": "refs/heads/main"}, event_type="push")

        assert received.status == 200
        assert received.event is not None
        assert received.event.verdict == Verdict.VERIFIED
        assert received.delivery.status == "succeeded"
        assert received.attempt.log[0]["fields"]["payload"] == {"ref": "refs/heads/main"}

    def test_makes_no_delivery_where_no_route_matches(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")
        hub.route("gh", handler="test.note", events=["issues"])

        received = hub.deliver("gh", event_type="push")

        assert received.deliveries == ()
        with pytest.raises(AssertionError, match="0 deliveries"):
            _ = received.delivery

    def test_says_what_it_refused(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github", state="disabled")

        assert hub.deliver("gh").status == 404

    def test_leaves_the_delivery_in_the_queue_if_it_is_not_to_work(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")
        hub.route("gh", handler="test.note")

        assert hub.deliver("gh", work=False).delivery.status == "pending"

    def test_shows_what_handlers_have_emitted(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")
        hub.endpoint("inside", provider="internal")
        hub.route("gh", handler="test.emit", config={"endpoint": "inside", "events": [["order.booked", {"id": 7}]]})

        received = hub.deliver("gh")

        assert received.event is not None
        make_event(received.event.endpoint, derived_from=received.event, requested_by="ada")
        assert [(event.event_type, event.shown_payload) for event in hub.emitted(received.event)] == [
            ("order.booked", {"id": 7})
        ]

    def test_starts_a_route_from_what_the_handler_wishes(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")

        assert hub.route("gh", handler="test.note").timeout_seconds == 12

    def test_names_a_handler_that_is_not_there(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")

        with pytest.raises(LookupError, match="HUB_AUTOMATIONS"):
            hub.route("gh", handler="orders.nothing")

    def test_takes_no_config_that_the_handler_would_not_take(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")

        with pytest.raises(ValidationError):
            hub.route("gh", handler="test.strict", config={"other": 1})

    def test_ends_a_handler_at_its_routes_time_limit(self, hub: HubUnderTest) -> None:
        hub.endpoint("gh", provider="github")
        hub.route("gh", handler="test.sleep", config={"seconds": 20}, timeout_seconds=0.2, retry={"max_attempts": 1})

        assert hub.deliver("gh").attempt.outcome == "timed_out"

    @pytest.mark.parametrize("provider", ["stripe", "slack", "generic_basic", "polar", "adyen", "aws_sns", "mux"])
    def test_finds_a_secret_of_the_providers_kind(self, hub: HubUnderTest, provider: str) -> None:
        hub.endpoint("here", provider=provider)

        assert hub.deliver("here").status == 200
        assert Event.objects.get().provider == provider

    @pytest.mark.any_database
    def test_knows_no_provider_whose_secrets_it_could_not_guess(self, hub: HubUnderTest) -> None:
        unknown = []
        for key in providers:
            try:
                hub.endpoint(key.replace("_", "-"), provider=key)
            except (ValueError, ValidationError):
                unknown.append(key)

        assert unknown == []
        assert Endpoint.objects.count() > 100


class TestTheClock:
    def test_makes_a_retry_due(self, hub: HubUnderTest, clock: Clock) -> None:
        hub.endpoint("gh", provider="github")
        hub.route("gh", handler="test.later", config={"seconds": 3600}, retry={"max_attempts": 2})
        waiting = hub.deliver("gh").delivery

        assert waiting.status == "waiting"
        assert hub.due_in(waiting) == pytest.approx(3600, abs=5)
        hub.work()
        assert hub.refreshed(waiting).status == "waiting"

        clock.advance(timedelta(hours=1, seconds=5))
        hub.work()

        assert hub.refreshed(waiting).status == "dead"
        with pytest.raises(AssertionError, match="does not wait"):
            hub.due_in(waiting)

    def test_is_what_signatures_are_made_and_judged_by(self, hub: HubUnderTest, clock: Clock) -> None:
        clock.move_to(datetime(2031, 5, 4, 3, 2, tzinfo=UTC))
        hub.endpoint("pay", provider="stripe")

        received = hub.deliver("pay")

        assert received.event is not None
        assert received.event.received_at.date() == clock.now().date() == datetime(2031, 5, 4).date()

    def test_goes_on_as_before_afterwards(self) -> None:
        assert datetime.now(UTC).year < 2031
        assert automations.seen is not None


class TestTheConnections:
    @pytest.fixture(autouse=True)
    def shop(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        hub.endpoint("shop", provider="github")
        connections.connection("crm")
        config = {"connection": "crm", "path": "/contacts/{id}", "params": {"dry": "dry"}, "json": "{email: email}"}
        hub.route("shop", handler="http.request", config=config)

    def deliver(self, hub: HubUnderTest) -> Received:
        return hub.deliver("shop", {"id": 7, "email": "ada@example.com", "dry": True}, event_type="push")

    def test_answer_and_keep_what_was_sent(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        connections.answer("crm", "POST", "/contacts/*", status=201, json={"id": 7})

        received = self.deliver(hub)

        assert received.delivery.status == "succeeded"
        assert received.attempt.response["status"] == 201
        [sent] = connections.sent
        assert (str(sent), sent.params, sent.json) == (
            "crm: POST /contacts/7",
            {"dry": "true"},
            {"email": "ada@example.com"},
        )
        assert sent.idempotency_key

    def test_give_several_answers_one_after_the_other(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        connections.fail("crm", "POST", "/contacts/7")
        connections.answer("crm", "POST", "/contacts/7", status=503)
        connections.answer("crm", "POST", "contacts/7")

        assert self.deliver(hub).delivery.status == "succeeded"
        assert self.deliver(hub).delivery.status == "succeeded"
        assert len(connections.sent) == 4
        assert len({sent.idempotency_key for sent in connections.sent}) == 2

    def test_make_a_delivery_wait_as_the_answer_says(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        connections.answer("crm", "POST", "/contacts/7", status=429, headers={"Retry-After": "600"})

        assert hub.due_in(self.deliver(hub).delivery) == pytest.approx(600, abs=5)

    def test_stand_for_a_broker(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        connections.connection("events", kind="redis", base_url="redis://redis.example.com", auth="none")
        connections.answer("events", "XADD", "orders", json={"id": "1-0"})
        hub.endpoint("till", provider="github")
        hub.route("till", handler="queue.publish", config={"connection": "events", "queue": "orders"})

        received = hub.deliver("till", {"id": 7}, event_type="push")

        assert received.delivery.status == "succeeded"
        assert (str(connections.sent[0]), connections.sent[0].json) == ("events: XADD /orders", {"id": 7})

    def test_reach_no_outside_system_that_a_test_cannot_stand_for(
        self, hub: HubUnderTest, connections: FakeConnections
    ) -> None:
        connections.connection("lake", kind="folder", base_url="folder:/events", auth="none")
        hub.endpoint("till", provider="github")
        hub.route("till", handler="object.append", config={"connection": "lake", "batch_seconds": 0})

        received = hub.deliver("till", {"id": 7}, event_type="push")

        assert received.delivery.status == "dead"
        assert "no test can answer" in received.attempt.error_message
        connections.unexpected.clear()

    def test_carry_the_proof(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        settings = {"token_url": "https://login.example.com/token", "client_id": "hub"}
        connections.connection(
            "crm",
            auth="oauth2_client_credentials",
            auth_settings=settings,
            credentials={"client_secret": "hush-hush"},
            base_url="https://crm.example.com/v2",
        )
        connections.answer("crm", "POST", "/contacts/7")

        assert self.deliver(hub).delivery.status == "succeeded"
        assert connections.sent[0].headers["Authorization"] == "Bearer a-token-of-the-test"

    def test_fail_the_test_of_a_call_without_an_answer(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        connections.answer("crm", "GET", "/contacts/7")

        received = self.deliver(hub)

        assert received.delivery.status == "dead"
        assert "crm: POST /contacts/7" in received.attempt.error_message
        with pytest.raises(AssertionError, match=r"crm: POST /contacts/7\. .* to: crm: GET /contacts/7"):
            connections.check()
        connections.unexpected.clear()

    def test_fail_the_test_of_a_connection_that_is_not_there(
        self, hub: HubUnderTest, connections: FakeConnections
    ) -> None:
        connections.connection("crm").retire(now=timezone.now())

        assert self.deliver(hub).attempt.error_type.endswith("ConnectionMissing")
        with pytest.raises(AssertionError, match="does not answer: crm"):
            connections.check()
        connections.unexpected.clear()


def test_the_connections_end_with_the_test() -> None:
    assert runner.connections_for is StoredConnections
