"""What stands above an endpoint's form: secrets with a judgement, routes with switches, what came last; test events."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

from django.test import TestCase
from django.utils import timezone

from deliveries.admin.endpoint_health import Health
from deliveries.models import AuditEntry, Event, Rejection
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from integrations.models import Endpoint, Restriction, Route, Secret
from tests.deliveries.admin.endpoint_form import page_of
from tests.deliveries.admin.people import SECRET, logged_in, make_user
from tests.factories import make_endpoint, make_event, make_route


class PanelTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)

    def test_shows_the_latest_events_and_refusals_and_no_more(self) -> None:
        for number in range(7):
            make_event(self.endpoint, event_type=f"kind.{number}")
        Rejection.objects.create(endpoint=self.endpoint, reason="signature_mismatch", received_at=timezone.now())

        page = logged_in("viewer").get(page_of(self.endpoint))

        shown = [event.event_type for event in page.context["recent_events"]]
        self.assertEqual(shown, [f"kind.{number}" for number in (6, 5, 4, 3, 2)])
        self.assertContains(page, "signature mismatch")

    def test_says_once_what_refusals_for_the_same_reason_mean(self) -> None:
        for reason in ("signature_mismatch", "signature_mismatch", "signature_missing"):
            Rejection.objects.create(endpoint=self.endpoint, reason=reason, received_at=timezone.now())

        page = logged_in("viewer").get(page_of(self.endpoint))

        self.assertContains(page, "No live secret makes this signature", count=1)
        self.assertContains(page, "The header with the signature is not there", count=1)

    def test_says_that_the_only_secret_is_in_use(self) -> None:
        Secret.objects.update(last_used_at=timezone.now())

        self.assertContains(logged_in("viewer").get(page_of(self.endpoint)), "In use; the only one.")

    def test_says_what_becomes_of_the_providers_check(self) -> None:
        zoom = make_endpoint(provider="zoom")
        self.assertContains(logged_in("viewer").get(page_of(zoom)), "add the secret first, or the check fails")
        Secret.objects.create(endpoint=zoom, value=SECRET)
        self.assertContains(logged_in("viewer").get(page_of(zoom)), "the hub answers by itself")


class HealthTests(TestCase):
    def judged(self, *seconds: float, provider: str = "slack") -> Health:
        """Return the judgement of an endpoint that took so long for its answers."""
        endpoint = make_endpoint(provider=provider)
        for took in seconds:
            counting.time(Measure.ACK, endpoint.pk, at=timezone.now(), seconds=took)
        counting.flush()
        found: Health = logged_in("viewer").get(page_of(endpoint)).context["health"]
        return found

    def test_is_judged_against_the_providers_deadline(self) -> None:
        for seconds, kind in ((0.01, "success"), (2.0, "warning"), (6.0, "danger")):
            found = self.judged(*[seconds] * 10)
            self.assertEqual(found.kind, kind, found)
            self.assertIn("Slack waits 3 s for its answer.", found.text)
            assert found.chart.limit is not None
            self.assertEqual(found.chart.limit.milliseconds, 3000)

    def test_tells_of_single_answers_that_came_too_late(self) -> None:
        found = self.judged(*[0.01] * 999, 20.0)

        self.assertEqual((found.kind, found.judgement), ("warning", "close to the deadline"))
        self.assertIn("At least 1 answer was later than that", found.text)
        self.assertIn(" ms", dict(found.percentiles)["99 %"])

    def test_is_not_judged_where_the_provider_documents_no_deadline(self) -> None:
        found = self.judged(9.0, provider="generic_none")

        self.assertEqual((found.kind, found.chart.limit), ("neutral", None))
        self.assertIn("The provider documents no deadline for the answer.", found.text)

    def test_says_that_nothing_was_measured(self) -> None:
        endpoint = make_endpoint(provider="slack")
        page = logged_in("viewer").get(page_of(endpoint))

        self.assertContains(page, "No event was accepted. Slack waits 3 s for its answer.")
        self.assertEqual(page.context["health"].chart.lines, [])


class RetiringASecretTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        now = timezone.now()
        self.old = self.endpoint.secrets.get()
        month, quarter = now - timedelta(days=30), now - timedelta(days=90)
        Secret.objects.filter(pk=self.old.pk).update(last_used_at=month, created_at=quarter)
        self.new = Secret.objects.create(endpoint=self.endpoint, value="the next one", last_used_at=now)

    def url(self, secret: object) -> str:
        return f"/admin/integrations/endpoint/{self.endpoint.pk}/order/end/{secret}/"

    def live(self) -> list[Secret]:
        return list(self.endpoint.secrets.live(timezone.now()))

    def test_ends_one_that_is_safe_to_retire(self) -> None:
        client = logged_in("administrator")
        self.assertContains(client.get(page_of(self.endpoint)), self.url(self.old.pk))

        client.post(self.url(self.old.pk), {"confirmed": "yes"})

        self.assertEqual(self.live(), [self.new])
        self.assertEqual(AuditEntry.objects.filter(action="removed", object_id=str(self.old.pk)).count(), 1)

    def test_says_what_comes_of_it_before_it_is_confirmed(self) -> None:
        page = logged_in("administrator").post(self.url(self.old.pk))

        self.assertContains(page, f"Retire the secret “{self.old}” of shop?")
        self.assertContains(page, "another one has been used since")
        self.assertContains(page, "It cannot be switched on again")
        self.assertNotContains(page, SECRET)
        self.assertEqual(len(self.live()), 2)
        self.assertFalse(AuditEntry.objects.filter(action="removed").exists())

    def test_keeps_one_that_is_in_use(self) -> None:
        for secret in (self.new.pk, uuid4()):
            logged_in("administrator").post(self.url(secret), {"confirmed": "yes"})

        self.assertEqual(self.live(), [self.new, self.old])
        self.assertFalse(AuditEntry.objects.filter(action="removed").exists())

    def test_is_for_who_may_enter_secrets_and_by_post(self) -> None:
        self.assertEqual(logged_in("operator").post(self.url(self.old.pk)).status_code, 403)
        self.assertEqual(logged_in("administrator").get(self.url(self.old.pk)).status_code, 405)
        self.assertNotContains(logged_in("operator").get(page_of(self.endpoint)), "/order/end/")
        self.assertEqual(len(self.live()), 2)


class SwitchTests(TestCase):
    def setUp(self) -> None:
        self.route = make_route(make_endpoint(), name="to the ERP")

    def order(self, name: str, role: str = "administrator") -> int:
        return logged_in(role).post(f"/admin/integrations/route/{self.route.pk}/order/{name}/").status_code

    def test_switches_a_route_off_and_on_and_notes_it(self) -> None:
        for name, enabled in (("off", False), ("off", False), ("on", True)):
            self.assertEqual(self.order(name), 302)
            self.assertEqual(Route.objects.get().enabled, enabled)
        entries = AuditEntry.objects.filter(action="changed").order_by("id").values_list("message", "before", "after")
        self.assertEqual(
            list(entries),
            [
                ("Switched off.", {"enabled": True}, {"enabled": False}),
                ("Switched on.", {"enabled": False}, {"enabled": True}),
            ],
        )

    def test_says_what_a_switch_means_for_what_comes(self) -> None:
        client = logged_in("administrator")
        for name, text in (("off", "is off: what comes is stored, and not delivered by it."),
                           ("on", "is on: what comes from now on is delivered by it.")):  # fmt: skip
            answer = client.post(f"/admin/integrations/route/{self.route.pk}/order/{name}/", follow=True)
            self.assertContains(answer, f"The route “to the ERP” {text}")

    def test_is_for_who_may_change_routes_and_by_post(self) -> None:
        self.assertEqual(self.order("off", "operator"), 403)
        answer = logged_in("administrator").get(f"/admin/integrations/route/{self.route.pk}/order/off/")
        self.assertEqual(answer.status_code, 405)
        self.assertTrue(Route.objects.get().enabled)

    def test_leaves_routes_of_other_groups_alone(self) -> None:
        Restriction.objects.create(user=make_user("administrator"))
        self.assertEqual(self.order("off"), 404)
        self.assertTrue(Route.objects.get().enabled)


class TestEventTests(TestCase):
    def setUp(self) -> None:
        settings = {"event_type": "body:type"}
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET, settings=settings)
        self.url = f"/admin/integrations/endpoint/{self.endpoint.pk}/try/"

    def test_begins_with_the_providers_own_sample(self) -> None:
        self.assertTrue(logged_in("operator").get(self.url).context["form"]["payload"].value())

    def test_begins_with_an_event_that_came(self) -> None:
        event = make_event(self.endpoint, event_type="order.paid", body=b'{"total": 4711}')

        page = logged_in("operator").get(f"{self.url}?event={event.pk}")

        self.assertContains(page, "4711")
        self.assertContains(page, 'value="order.paid"')

    def test_sends_what_was_entered_signed_and_notes_it(self) -> None:
        answer = logged_in("operator").post(self.url, {"payload": '{"type": "order.paid", "total": 7}'})

        self.assertContains(answer, "see the event")
        event = Event.objects.get()
        self.assertEqual((event.verdict, json.loads(event.body)), ("verified", {"type": "order.paid", "total": 7}))
        self.assertEqual(AuditEntry.objects.filter(message__startswith="sent a test event").count(), 1)

    def test_keeps_what_was_entered_where_it_is_no_json(self) -> None:
        answer = logged_in("operator").post(self.url, {"payload": '{"type": '})

        self.assertContains(answer, "This is not JSON")
        self.assertContains(answer, "{&quot;type&quot;:")
        self.assertFalse(Event.objects.exists())

    def test_offers_nothing_that_is_hidden(self) -> None:
        Endpoint.objects.update(sensitive=True)
        event = make_event(self.endpoint, body=b'{"iban": "the-iban-of-a-customer"}')

        page = logged_in("superuser").get(f"{self.url}?event={event.pk}")

        self.assertNotContains(page, "the-iban-of-a-customer")
        self.assertEqual(page.context["recent"], [])

    def test_is_for_who_may_operate(self) -> None:
        self.assertEqual(logged_in("viewer").get(self.url).status_code, 403)
        self.assertEqual(logged_in("viewer").post(self.url, {"payload": "{}"}).status_code, 403)
        Restriction.objects.create(user=make_user("operator"))
        self.assertEqual(logged_in("operator").get(self.url).status_code, 404)
        self.assertFalse(Event.objects.exists())

    def test_offers_no_event_of_another_endpoint(self) -> None:
        event = make_event(make_endpoint(), body=b'{"iban": "the-iban-of-a-customer"}')

        self.assertEqual(logged_in("operator").get(f"{self.url}?event={event.pk}").status_code, 404)
