"""The rule for drift finds what has changed in payloads, until somebody accepts it."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied

from deliveries.models import Alert, AuditEntry, Shape
from deliveries.models.shape import ChangeKind, newest
from deliveries.shapes.accepting import accept
from deliveries.shapes.learning import change_of
from integrations.identifiers import uuid7
from integrations.models import Endpoint
from tests.deliveries.alerts.cases import NOW, AlertTestCase
from tests.deliveries.shapes.cases import USUAL, learned, see
from tests.factories import make_endpoint


class DriftTests(AlertTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.rule("drift")
        self.shape = learned(endpoint=self.shop)

    def change(self, **fields: object) -> None:
        see(self.shape, {**USUAL, **fields}, minutes=-60)
        self.shape.save()

    def test_is_one_alert_for_an_event_type_with_what_has_changed(self) -> None:
        self.change(total="5", vat=1)
        self.look(1)
        self.change(country="NL")
        self.look(2)

        row = Alert.objects.get()
        self.assertEqual(row.text, "total was: number, and is now: text. vat is new: number. country is new: text.")
        self.assertEqual((row.about, row.state, row.endpoint), ("shop, order.paid", "firing", self.shop))
        self.assertEqual((row.page, row.page_key), ("shape", str(self.shape.pk)))

    def test_is_none_while_payloads_are_as_they_were(self) -> None:
        self.shape.save()
        self.look()

        self.assertEqual(self.texts(), [])

    def test_is_told_and_is_over_once_somebody_accepts_the_shape(self) -> None:
        self.channel()
        self.change(total="5")
        message = self.look()
        assert message is not None
        self.assertIn("docs/runbooks/drift.md", message.body.decode())

        accept(self.shape, by=somebody("accept_shape"), now=NOW)
        self.look(1)
        told = self.look(5)
        assert told is not None
        self.assertEqual((told.event_type, Alert.objects.get().state), ("alerts.recovered", "resolved"))

    def test_ends_when_its_window_is_over(self) -> None:
        self.change(total="5")
        self.look(1)
        self.look(7 * 24 * 60 + 10)

        self.assertEqual(self.texts(), [])

    def test_is_of_the_rules_endpoint_and_from_its_threshold_on(self) -> None:
        Alert.objects.all().delete()
        self.rule("drift", name="two", threshold=2, endpoint=self.shop)
        self.rule("drift", name="other", endpoint=make_endpoint())
        self.change(total="5")
        self.look()
        self.assertEqual([row.rule_name for row in Alert.objects.all()], ["drift"])

        self.change(vat=1)
        self.look(1)
        self.assertEqual(sorted(row.rule_name for row in Alert.objects.all()), ["drift", "two"])

    def test_names_new_event_types_of_an_endpoint_together(self) -> None:
        for name in ("a", "b"):
            row = learned(endpoint=self.shop)
            row.event_type = name
            row.changes = [change_of(ChangeKind.NEW_TYPE, at=NOW, event=uuid7())]
            row.changed_at = newest(row.changes)
            row.save()
        self.look()

        self.assertEqual(self.texts(), ["2 event types came that never came before: a, b."])
        self.assertEqual(Alert.objects.get().page_filters, {"endpoint": str(self.shop.pk)})

    def test_says_nothing_of_an_endpoint_that_is_sensitive_now(self) -> None:
        self.change(total="5")
        Endpoint.objects.filter(pk=self.shop.pk).update(sensitive=True)
        self.look()

        self.assertEqual(self.texts(), [])


class AcceptingTests(AlertTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.shape = learned(endpoint=self.shop)
        see(self.shape, {"total": "5", "id": "o-1", "items": []}, times=25, minutes=20)
        self.shape.save()

    def test_makes_what_has_changed_known(self) -> None:
        anna = somebody("accept_shape")
        self.assertEqual(accept(self.shape, by=anna, now=NOW), 2)
        row = Shape.objects.get()

        self.assertEqual((row.open_changes, row.changed_at), ([], None))
        self.assertEqual({change["accepted_by"] for change in row.changes}, {"anna"})
        self.assertNotIn("customer.name", row.fields)
        entry = AuditEntry.objects.get()
        self.assertEqual((entry.who, entry.object_type, entry.endpoint), ("anna", "shape", self.shop))

    def test_finds_what_changes_after_it(self) -> None:
        accept(self.shape, by=somebody("accept_shape"), now=NOW)
        row = Shape.objects.get()
        see(row, {"total": "5", "id": "o-1", "customer": {"name": "a"}, "items": []}, minutes=30)

        self.assertEqual([change["path"] for change in row.open_changes], ["customer"])

    def test_is_noted_once(self) -> None:
        anna = somebody("accept_shape")

        self.assertEqual([accept(self.shape, by=anna), accept(self.shape, by=anna)], [2, 0])
        self.assertEqual(AuditEntry.objects.count(), 1)

    def test_takes_a_right_of_its_own(self) -> None:
        with self.assertRaises(PermissionDenied):
            accept(self.shape, by=somebody("view_shape"))

        self.assertEqual(len(Shape.objects.get().open_changes), 2)


def somebody(*permissions: str) -> User:
    user = User.objects.create_user("anna")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user
