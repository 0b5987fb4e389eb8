"""What is shown of the steps of a delivery's flow, and to whom."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse
from django.utils import timezone

from deliveries.flow_steps import outputs_of
from deliveries.models import Delivery, FlowStep
from deliveries.models.sealing import MASK
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route
from tests.integrations.handlers.test_hub_flow import step


def make_step(delivery: Delivery, name: str, **values: Any) -> FlowStep:
    now = timezone.now()
    kept = {"input": {"channel": "channel-of-orders"}, "kept": {"output": {"id": 5}, "emitted": []}}
    times = {"started_at": now, "finished_at": None if values.get("state") == "running" else now}
    given = {"position": 0, "handler": "log", "state": "succeeded", "attempt": 1, "tries": 1, **times, **kept, **values}
    return FlowStep.objects.create(delivery=delivery, name=name, **given)


def flow_delivery(*, provider: str = "generic_none", body: bytes = b"{}", **endpoint: Any) -> Delivery:
    row = make_endpoint(provider=provider, **endpoint)
    config = {"steps": [step("lookup", "log"), step("tell", "log", when="steps.lookup.id"), step("last", "log")]}
    event = make_event(row, body=body)
    route = make_route(row, handler="hub.flow", config=config, name="A flow")
    return make_delivery(route, event=event, status="dead", finished_at=timezone.now(), attempt_count=1)


class StepsOverTheApi(ApiTestCase):
    def shown(self, delivery: Delivery, *, client: Any = None) -> list[dict[str, Any]]:
        answer = (client or self.client).get(f"{API}/deliveries/{delivery.pk}/")
        self.assertEqual(answer.status_code, 200, answer.content)
        steps: list[dict[str, Any]] = answer.json()["steps"]
        return steps

    def test_are_in_order_with_those_that_have_not_begun(self) -> None:
        delivery = flow_delivery()
        make_step(delivery, "tell", position=1, state="failed", kept=None, error="Broken: no", tries=3)
        make_step(delivery, "lookup")
        make_step(delivery, "gone", position=2, state="running", kept=None)

        steps = self.shown(delivery)

        self.assertEqual(
            [(row["name"], row["state"]) for row in steps],
            [("lookup", "succeeded"), ("tell", "failed"), ("last", "pending"), ("gone", "interrupted")],
        )
        self.assertEqual((steps[0]["input"], steps[0]["output"]), ({"channel": "channel-of-orders"}, {"id": 5}))
        self.assertEqual((steps[1]["error"], steps[1]["tries"], steps[1]["output"]), ("Broken: no", 3, None))
        self.assertEqual((steps[0]["duration_ms"], steps[2]["duration_ms"]), (0, None))

    def test_are_none_of_another_handler(self) -> None:
        self.assertEqual(self.shown(make_delivery(make_route(make_endpoint()))), [])

    def test_keep_what_a_sensitive_endpoint_received_to_themselves(self) -> None:
        delivery = flow_delivery(sensitive=True)
        make_step(delivery, "lookup")

        shown = self.shown(delivery)[0]

        self.assertEqual((shown["input"], shown["output"], shown["omitted"]), (None, None, True))

    def test_mask_the_credentials_of_the_payload_also_within_a_text(self) -> None:
        delivery = flow_delivery(provider="slack", body=b'{"token": "xoxb-7", "text": "hi"}')
        make_step(delivery, "lookup", input={"text": "Bearer xoxb-7"}, kept={"output": ["xoxb-7", "hi"], "emitted": []})

        shown = self.shown(delivery)[0]

        self.assertEqual((shown["input"], shown["output"]), ({"text": f"Bearer {MASK}"}, [MASK, "hi"]))

    def test_show_no_input_to_those_who_see_no_events(self) -> None:
        delivery = flow_delivery()
        make_step(delivery, "lookup")
        user = make_user("bo")
        user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
        client = client_of(user)

        shown = self.shown(delivery, client=client)[0]

        self.assertEqual((shown["state"], shown["output"], shown["omitted"]), ("succeeded", None, True))


class TheOutputs(TestCase):
    def test_are_those_of_the_steps_that_are_over_on_one_route(self) -> None:
        delivery = flow_delivery()
        make_step(delivery, "lookup")
        make_step(delivery, "idle", state="skipped", kept=None)
        make_step(delivery, "tell", state="failed", kept=None)

        self.assertEqual(outputs_of(delivery.event, delivery.route_id), {"lookup": {"id": 5}, "idle": None})
        self.assertEqual(outputs_of(delivery.event, make_route(delivery.endpoint).pk), {})


class ThePageOfADelivery(TestCase):
    def page(self, delivery: Delivery, role: str = "administrator") -> Any:
        self.client.force_login(make_user("ada", role=role, is_staff=True))
        return self.client.get(reverse("admin:deliveries_delivery_change", args=[delivery.pk]))

    def test_shows_each_step_with_input_output_and_time(self) -> None:
        delivery = flow_delivery()
        make_step(delivery, "lookup", tries=2)
        make_step(delivery, "tell", position=1, state="skipped", kept=None, condition="steps.lookup.id")

        page = self.page(delivery)

        for text in (
            "Steps",
            "lookup",
            "channel-of-orders",
            "took",
            "2 tries",
            "Skipped",
            "steps.lookup.id",
            "Pending",
        ):
            self.assertContains(page, text)

    def test_hides_what_a_sensitive_endpoint_received(self) -> None:
        delivery = flow_delivery(sensitive=True)
        make_step(delivery, "lookup")

        page = self.page(delivery)

        self.assertContains(page, "Hidden: what this endpoint receives is marked as sensitive.")
        self.assertNotContains(page, "channel-of-orders")

    def test_has_no_steps_of_another_handler(self) -> None:
        self.assertNotContains(self.page(make_delivery(make_route(make_endpoint()))), "hub-steps")
