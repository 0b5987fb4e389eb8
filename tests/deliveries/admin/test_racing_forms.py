"""Two people who save the same at the same moment: the second is told so, and nobody gets an error page."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection
from django.db.models import Model
from django.db.models.signals import pre_save
from django.test import TransactionTestCase

from deliveries.models import AuditEntry
from integrations.models import Endpoint, EndpointGroup
from tests.deliveries.admin.endpoint_form import ADD, fields_of
from tests.deliveries.admin.people import logged_in
from tests.deliveries.api.cases import API, client_of
from tests.factories import make_endpoint

EXISTS = "exists already"


class RaceTests(TransactionTestCase):
    """Between the form's validation and the row another connection commits a row of the same name."""

    def race(self, model: type[Model], make: Callable[[], object]) -> None:
        """Let ``make`` run in a thread as soon as the first row of ``model`` is about to be saved.

        SQLite has one writer at a time: where the form holds the lock already, the other comes too late.
        """

        def commit() -> None:
            try:
                make()
            except IntegrityError:
                self.came_too_late = True
            finally:
                connection.close()

        def between(**_: object) -> None:
            pre_save.disconnect(between, sender=model)
            self.other = Thread(target=commit)
            self.other.start()
            self.other.join(1)

        self.came_too_late = False
        pre_save.connect(between, sender=model, weak=False)
        self.addCleanup(pre_save.disconnect, between, sender=model)

    def check(self, status: int, shown: str, rows: int, *, refused: int = 200, says: str = EXISTS) -> None:
        """Check that one of both is there, and that the form says so where it was the other's."""
        self.other.join(30)
        self.assertEqual(rows, 1)
        if self.came_too_late:
            self.assertIn(status, (201, 302))
        else:
            self.assertEqual(status, refused, shown)
            self.assertIn(says, shown)

    def test_endpoint_in_the_first_steps(self) -> None:
        self.race(Endpoint, lambda: make_endpoint(slug="orders"))

        page = logged_in("superuser").post(
            "/admin/integrations/endpoint/first-steps/new/github/", {"slug": "orders", "name": ""}
        )

        self.check(page.status_code, page.content.decode(), Endpoint.objects.filter(slug="orders").count())
        self.assertEqual(AuditEntry.objects.filter(action="made").count(), int(self.came_too_late))

    def test_endpoint_of_the_form(self) -> None:
        self.race(Endpoint, lambda: make_endpoint(slug="orders"))

        page = logged_in("superuser").post(ADD, fields_of(slug="orders"))

        self.check(page.status_code, page.content.decode(), Endpoint.objects.filter(slug="orders").count())

    def test_endpoint_over_the_api(self) -> None:
        client = client_of(User.objects.create_superuser("ada"))
        self.race(Endpoint, lambda: make_endpoint(slug="orders"))

        answer = client.post(
            f"{API}/endpoints/", {"slug": "orders", "name": "Orders", "provider": "github"}, format="json"
        )

        rows = Endpoint.objects.filter(slug="orders").count()
        self.check(answer.status_code, answer.content.decode(), rows, refused=400)

    def test_changed_slug_over_the_api(self) -> None:
        client = client_of(User.objects.create_superuser("ada"))
        make_endpoint(slug="old")
        self.race(Endpoint, lambda: make_endpoint(slug="orders"))

        answer = client.patch(f"{API}/endpoints/old/", {"slug": "orders"}, format="json")

        self.other.join(30)
        self.assertEqual(Endpoint.objects.filter(slug="orders").count(), 1)
        self.assertEqual(answer.status_code, 200 if self.came_too_late else 400, answer.content)

    def test_group_of_the_form(self) -> None:
        self.race(EndpointGroup, lambda: EndpointGroup.objects.create(name="finance"))

        page = logged_in("superuser").post("/admin/integrations/endpointgroup/add/", {"name": "finance"})

        rows = EndpointGroup.objects.filter(name="finance").count()
        self.check(page.status_code, page.content.decode(), rows)

    def test_role_of_the_form(self) -> None:
        self.race(Group, lambda: Group.objects.create(name="night shift"))

        page = logged_in("superuser").post(
            "/admin/auth/group/add/",
            {"name": "night shift", "restriction-TOTAL_FORMS": "0", "restriction-INITIAL_FORMS": "0"},
        )

        rows = Group.objects.filter(name="night shift").count()
        self.check(page.status_code, page.content.decode(), rows, says="already exists")

    def test_another_error_of_the_database_stays_one(self) -> None:
        """What validation does not find the second time either is a fault, and no entry of a form."""
        tries = []

        def broken(**_: object) -> None:
            tries.append(1)
            raise IntegrityError("a constraint that no form knows")

        pre_save.connect(broken, sender=EndpointGroup, weak=False)
        self.addCleanup(pre_save.disconnect, broken, sender=EndpointGroup)

        with self.assertRaises(IntegrityError):
            logged_in("superuser").post("/admin/integrations/endpointgroup/add/", {"name": "finance"})
        self.assertEqual(len(tries), 2)
