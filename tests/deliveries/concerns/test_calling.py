"""Outside systems that are not called are what an operator has to know of."""

from __future__ import annotations

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from deliveries.concerns import Concern, Kind, Level, Page, Place, Sight, concerns
from integrations.models import Connection, ConnectionHealth, EndpointGroup, UnnamedHealth
from tests.deliveries.admin.people import make_user
from tests.deliveries.visibility.two_teams import restrict


class OpenCircuitTests(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        self.crm = self.connection("crm", open_seconds=60, failures=5, last_error="503 Service Unavailable")

    def connection(self, name: str, *, open_seconds: float | None, **values: object) -> Connection:
        row = Connection.objects.create(name=name, base_url="https://crm.example.com")
        until = None if open_seconds is None else self.now + timedelta(seconds=open_seconds)
        ConnectionHealth.objects.update_or_create(connection=row, defaults={"open_until": until, **values})
        return row

    def found(self, sight: Sight | None = None) -> list[Concern]:
        return [one for one in concerns(sight or Sight(None, now=self.now)) if one.kind == Kind.OPEN_CIRCUIT]

    def test_is_a_problem_with_the_last_error(self) -> None:
        self.connection("well", open_seconds=None, failures=2)

        [concern] = self.found()

        self.assertEqual((concern.level, concern.about), (Level.PROBLEM, "crm"))
        self.assertEqual(
            concern.text, "It is not called: 5 calls failed in a row, the last with: 503 Service Unavailable"
        )
        self.assertEqual(concern.place, Place(Page.CONNECTION, self.crm.pk))

    def test_is_a_warning_while_the_next_call_tries_it(self) -> None:
        self.now += timedelta(minutes=2)
        [concern] = self.found()
        self.assertEqual(concern.level, Level.WARNING)
        self.assertIn("The next call tries it again", concern.text)

    def test_is_told_of_what_is_called_without_a_connection_to_who_sees_all(self) -> None:
        open_until = self.now + timedelta(minutes=1)
        for key, name in (("a", "mail.example.com"), ("b", "https://old.example.com (mirror)")):
            UnnamedHealth.objects.create(
                key=key, name=name, failures=6, open_until=open_until, last_error_at=self.now
            )  # fmt: skip
        waiting = Place(Page.DELIVERIES, filters={"status": "waiting"})

        found = [concern for concern in self.found() if concern.place == waiting]

        names = ["https://old.example.com (mirror)", "mail.example.com"]
        self.assertEqual([concern.about for concern in found], names)
        self.assertEqual(len({concern.key for concern in self.found()}), 3)
        user = make_user("viewer")
        restrict(user, EndpointGroup.objects.create(name="a"))
        self.assertEqual([one.about for one in self.found(Sight(user, now=self.now))], [])
        self.now += timedelta(days=2)  # nobody has called it since, and nobody may ever
        self.assertEqual([one.about for one in self.found()], ["crm"])

    def test_is_not_told_of_what_is_retired(self) -> None:
        Connection.objects.update(retired_at=self.now)
        self.assertEqual(self.found(), [])

    def test_is_on_the_page_with_a_link(self) -> None:
        self.client.force_login(make_user("viewer"))
        page = self.client.get("/admin/")
        self.assertContains(page, f"/admin/integrations/connection/{self.crm.pk}/change/")
        self.assertContains(page, "503 Service Unavailable")

    def test_is_told_to_the_connections_own_group_alone(self) -> None:
        own, other, user = (
            EndpointGroup.objects.create(name="a"),
            EndpointGroup.objects.create(name="b"),
            make_user("viewer"),
        )
        restrict(user, own)
        for group, count in ((None, 0), (other, 0), (own, 1)):
            Connection.objects.update(group=group)
            self.assertEqual(len(self.found(Sight(user, now=self.now))), count, group)
