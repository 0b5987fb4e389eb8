"""The page of one delivery: its timeline and its tracebacks."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

from django.db import connection
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.admin.deliveries import SHOWN_ATTEMPTS, SHOWN_STEPS
from deliveries.models import Attempt, Delivery, StepResult
from deliveries.timeline import Kind
from tests.deliveries.admin.people import SECRET, logged_in
from tests.factories import make_delivery, make_endpoint, make_event, make_route

INSTALLED = "/srv/.venv/lib/python3.12/site-packages"
TRACEBACK = f"""Traceback (most recent call last):
  File "{INSTALLED}/acme_hooks/orders.py", line 3, in book
    post(order)
  File "{INSTALLED}/httpx/_api.py", line 9, in post
    send()
  File "{INSTALLED}/httpx/_client.py", line 5, in send
    raise ConnectError
httpx.ConnectError: <script>alert(1)</script>
"""


class DeliveryPageTests(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now().replace(microsecond=0) - timedelta(hours=1)
        endpoint = make_endpoint(slug="shop")
        event = make_event(endpoint, event_type="<i>paid</i>", received_at=self.now)
        self.delivery = make_delivery(
            make_route(endpoint, name="to the ERP"), event=event, now=self.now, status="dead", finished_at=self.now
        )
        self.client = logged_in("viewer")

    def attempts(self, count: int, **values: Any) -> None:
        start = self.now
        for number in range(self.delivery.attempt_count + 1, self.delivery.attempt_count + count + 1):
            start = self.now + timedelta(minutes=5 * number)
            kept = {"trigger": "retry", "outcome": "failed", "error_type": "ConnectError", **values}
            Attempt.objects.create(
                delivery=self.delivery,
                number=number,
                started_at=start,
                finished_at=start + timedelta(seconds=2),
                **kept,
            )
        Delivery.objects.filter(pk=self.delivery.pk).update(
            attempt_count=self.delivery.attempt_count + count, finished_at=start + timedelta(seconds=2)
        )
        self.delivery.refresh_from_db()

    def test_shows_what_was_answered_as_what_it_says(self) -> None:
        for body, shown in (
            ('{"error": "customer_missing", "order": 12345678901234567890}', "error: customer_missing"),
            ("<html>no</html>", "body: <html>no</html>"),
            ("[" * 100_000, "[["),
        ):
            self.attempts(1, response={"status": 422, "body": body})

            page = self.client.get(f"/admin/deliveries/delivery/{self.delivery.pk}/change/")

            text = re.sub(r"<[^>]+>", "", page.content.decode())
            self.assertIn(shown, unescape(text).replace('"', ""))
            self.assertNotContains(page, "<html>no")

    def steps(self, *keys: str) -> None:
        StepResult.objects.bulk_create(StepResult(delivery=self.delivery, key=key, value=SECRET) for key in keys)

    def page(self) -> Any:
        return self.client.get(f"/admin/deliveries/delivery/{self.delivery.pk}/change/")

    def asked(self) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.page().status_code, 200)
        return [query["sql"] for query in captured]

    def test_tells_it_from_receipt_to_end(self) -> None:
        self.attempts(2, traceback=TRACEBACK)
        self.steps("invoice")

        page = self.page()

        kinds = [entry.kind for entry in page.context["timeline"]]
        tried = [Kind.WAITED, Kind.ATTEMPT] * 2
        self.assertEqual(kinds, [Kind.RECEIVED, Kind.VERIFIED, Kind.ROUTED, *tried, Kind.STEP, Kind.END])
        for text in ("waited 4 min 58 s", "Step invoice done and kept", "Gave up: a dead letter", "took 2.0 s"):
            self.assertContains(page, text)
        self.assertContains(page, 'href="#attempt-2"')
        self.assertContains(page, 'id="attempt-2"')

    def test_marks_an_attempt_that_was_not_spent(self) -> None:
        self.attempts(1, error_type="CircuitOpen", traceback="integrations.errors.CircuitOpen: crm is left alone")

        self.assertContains(self.page(), "not called; no attempt spent")

    def test_takes_one_query_for_the_timeline_however_long_it_is(self) -> None:
        self.attempts(1)
        few = self.asked()
        self.attempts(SHOWN_ATTEMPTS)
        self.steps(*(f"step {number}" for number in range(SHOWN_STEPS + 1)))
        many = self.asked()

        self.assertEqual(len(few), len(many))
        of_steps = [statement for statement in many if "deliveries_stepresult" in statement]
        self.assertEqual(len(of_steps), 1)
        self.assertNotIn('"value"', of_steps[0])
        self.assertNotIn('"data"', of_steps[0])

    def test_is_headed_by_what_came_and_where_it_goes(self) -> None:
        self.assertEqual(self.page().context["subtitle"], "<i>paid</i> → to the ERP")
        self.assertContains(self.page(), "&lt;i&gt;paid&lt;/i&gt; → to the ERP</a>")

    def test_says_how_many_attempts_it_leaves_out(self) -> None:
        for left_out, text in ((1, "1 earlier attempt is not shown."), (2, "2 earlier attempts are not shown.")):
            self.attempts(SHOWN_ATTEMPTS + left_out - self.delivery.attempt_count)

            self.assertContains(self.page(), text)

    def test_says_what_a_long_timeline_leaves_out(self) -> None:
        self.attempts(SHOWN_ATTEMPTS + 1)
        self.steps(*(f"step {number}" for number in range(SHOWN_STEPS + 1)))

        page = self.page()

        self.assertContains(page, "Not shown: 1 earlier attempt and earlier steps")
        kinds = [entry.kind for entry in page.context["timeline"]]
        self.assertEqual((kinds.count(Kind.ATTEMPT), kinds.count(Kind.STEP)), (SHOWN_ATTEMPTS, SHOWN_STEPS))

    def test_never_shows_what_a_step_has_kept(self) -> None:
        self.steps("token")

        self.assertNotContains(self.page(), SECRET)

    @override_settings(HUB_AUTOMATIONS=["acme_hooks"])
    def test_folds_frames_of_libraries_and_leaves_those_of_handlers_open(self) -> None:
        self.attempts(1, traceback=TRACEBACK)

        html = self.page().content.decode()

        trace = html[html.index('class="hub-trace"') :]
        opened, _, rest = trace.partition("<summary>2 frames of libraries or the hub</summary>")
        folded, _, error = rest.partition("</details>")
        self.assertIn("acme_hooks/orders.py", opened)
        self.assertIn("httpx/_api.py", folded)
        self.assertIn("httpx/_client.py", folded)
        self.assertIn("httpx.ConnectError: &lt;script&gt;", error.partition("</details>")[0])

    def test_escapes_what_came_from_outside(self) -> None:
        self.attempts(1, traceback=TRACEBACK)
        self.steps("<u>step</u>")

        html = self.page().content.decode()

        for tag in ("<script>alert", "<i>paid", "<u>step"):
            self.assertNotIn(tag, html)
        self.assertIn("&lt;u&gt;step&lt;/u&gt;", html)

    def test_opens_whatever_the_traceback_looks_like(self) -> None:
        self.attempts(1, traceback='s/x.py", line 1\n[...]\n  File "')

        self.assertContains(self.page(), "[...]")
