"""The overview points to the first steps that its viewer has begun and left."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries import first_steps
from deliveries.concerns import Sight
from deliveries.stats.counting import counting
from integrations.models import Endpoint, Restriction
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.admin.test_first_steps import START, step
from tests.factories import make_endpoint, make_route


class LeftTests(TestCase):
    """The overview points to what its viewer has begun and left."""

    def setUp(self) -> None:
        self.client = logged_in("administrator")

    def begin(self, slug: str, client: Client | None = None) -> Endpoint:
        (client or self.client).post(f"{START}new/generic_none/", {"slug": slug, "name": ""})
        return Endpoint.objects.get(slug=slug)

    def pointed_to(self, client: Client | None = None) -> list[str]:
        page = (client or self.client).get("/admin/")
        return [row.endpoint.slug for row in page.context.get("left", ())]

    def receive(self, endpoint: Endpoint) -> None:
        with self.captureOnCommitCallbacks(execute=True):
            Client().post(f"/hooks/{endpoint.slug}", b"{}", content_type="application/json")
        counting.flush()

    def test_are_shown_until_there_are_an_event_and_a_route(self) -> None:
        first, second = self.begin("first"), self.begin("second")
        page = self.client.get("/admin/")
        self.assertContains(page, "no event and no route yet", count=2)
        self.assertContains(page, f'href="{step(second)}"')
        self.assertRedirects(self.client.get(step(second)), step(second, "event/"))

        self.receive(first)
        make_route(second)
        page = self.client.get("/admin/")
        self.assertContains(page, "no route yet", count=1)
        self.assertContains(page, "no event yet", count=1)
        self.assertRedirects(self.client.get(step(first)), step(first, "route/"))

        make_route(first)
        self.receive(second)
        self.assertEqual(self.pointed_to(), [])
        self.assertNotContains(self.client.get("/admin/"), "Go on setting up")

    def test_are_the_newest_ones(self) -> None:
        for number in range(5):
            self.begin(f"e{number}")

        self.assertEqual(self.pointed_to(), ["e4", "e3", "e2"])

    def test_are_nobody_elses(self) -> None:
        self.begin("mine")
        make_endpoint(slug="by-a-file")
        colleague = Client()
        colleague.force_login(make_user("administrator", name="colleague"))
        self.begin("theirs", colleague)

        self.assertEqual(self.pointed_to(), ["mine"])
        self.assertEqual(self.pointed_to(colleague), ["theirs"])

    def test_are_forgotten_after_two_weeks_and_when_nobody_wants_them(self) -> None:
        old, off, retired = self.begin("old"), self.begin("off"), self.begin("retired")
        self.assertEqual(len(self.pointed_to()), 3)
        Endpoint.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=14, minutes=1))
        Endpoint.objects.filter(pk=off.pk).update(state="disabled")
        Endpoint.objects.filter(pk=retired.pk).update(retired_at=timezone.now())

        self.assertEqual(self.pointed_to(), [])

    def test_are_not_shown_to_who_may_not_see_them_any_more(self) -> None:
        self.begin("mine")
        Restriction.objects.create(user=User.objects.get())

        self.assertEqual(self.pointed_to(), [])

    def test_take_two_queries_however_many_there_are(self) -> None:
        def needed() -> int:
            sight = Sight(User.objects.get(), now=timezone.now())
            self.assertIsNotNone((sight.endpoints, sight.routes))  # the overview asks for them anyway
            with CaptureQueriesContext(connection) as found:
                first_steps.left(sight)
            return len(found)

        self.assertEqual(needed(), 0)
        counted = []
        for number in range(4):
            self.begin(f"e{number}")
            counted.append(needed())
        self.assertEqual(counted, [2, 2, 2, 2])
