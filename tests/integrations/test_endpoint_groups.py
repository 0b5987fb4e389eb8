"""Who sees the endpoints of which groups."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import IntegrityError, transaction
from django.test import TestCase

from integrations.models import Endpoint, EndpointGroup, Restriction, Route, groups_of
from tests.factories import make_endpoint, make_route


class RestrictionTests(TestCase):
    def setUp(self) -> None:
        self.user = User.objects.create_user("ada")
        self.one, self.two = (EndpointGroup.objects.create(name=name) for name in ("one", "two"))
        for slug, group in (("of-one", self.one), ("of-two", self.two), ("of-none", None)):
            make_route(make_endpoint(slug=slug, group=group), name=slug)

    def seen(self) -> set[str]:
        user = User.objects.get(pk=self.user.pk)  # as each request does
        routes = set(Route.objects.visible_to(user).values_list("name", flat=True))
        endpoints = set(Endpoint.objects.visible_to(user).values_list("slug", flat=True))
        self.assertEqual(routes, endpoints)
        return endpoints

    def restrict(self, *groups: EndpointGroup, role: str = "") -> Restriction:
        if role:
            restriction, _ = Restriction.objects.get_or_create(role=Group.objects.get_or_create(name=role)[0])
            assert restriction.role is not None
            self.user.groups.add(restriction.role)
        else:
            restriction, _ = Restriction.objects.get_or_create(user=self.user)
        restriction.groups.set(groups)
        return restriction

    def test_of_nobody_lets_all_be_seen(self) -> None:
        self.assertEqual(self.seen(), {"of-one", "of-two", "of-none"})

    def test_of_a_user_leaves_their_groups_and_nothing_without_one(self) -> None:
        self.restrict(self.one)

        self.assertEqual(self.seen(), {"of-one"})

    def test_of_a_role_restricts_who_has_it(self) -> None:
        self.restrict(self.two, role="team two")

        self.assertEqual(self.seen(), {"of-two"})
        other = User.objects.create_user("bob")
        self.assertEqual(Endpoint.objects.visible_to(other).count(), 3)

    def test_of_one_of_two_roles_restricts_too(self) -> None:
        self.user.groups.add(Group.objects.get(name="administrator"))
        self.restrict(self.one, role="team one")

        self.assertEqual(self.seen(), {"of-one"})

    def test_adds_up(self) -> None:
        self.restrict(self.one)
        self.restrict(self.two, role="team two")

        self.assertEqual(self.seen(), {"of-one", "of-two"})

    def test_to_no_group_leaves_nothing(self) -> None:
        self.restrict()

        self.assertEqual(self.seen(), set())

    def test_stays_when_its_last_group_is_deleted(self) -> None:
        self.restrict(self.one)
        self.one.delete()

        self.assertEqual(self.seen(), set())

    def test_does_not_hold_for_a_superuser(self) -> None:
        self.restrict(self.one)
        User.objects.filter(pk=self.user.pk).update(is_superuser=True)

        self.assertEqual(self.seen(), {"of-one", "of-two", "of-none"})

    def test_to_nothing_is_what_strangers_and_the_switched_off_have(self) -> None:
        gone = User(username="gone", is_active=False, is_superuser=True)

        for user in (AnonymousUser(), gone):
            self.assertEqual(groups_of(user), frozenset())
            self.assertFalse(Endpoint.objects.visible_to(user).exists())

    def test_is_asked_for_once_for_each_user_object(self) -> None:
        self.restrict(self.one)
        user = User.objects.get(pk=self.user.pk)
        with self.assertNumQueries(2):  # the restrictions, the endpoints
            list(Endpoint.objects.visible_to(user))
        with self.assertNumQueries(1):
            list(Endpoint.objects.visible_to(user))

    def test_is_of_a_user_or_of_a_role(self) -> None:
        with self.assertRaises(IntegrityError), transaction.atomic():
            Restriction.objects.create()
        with self.assertRaises(IntegrityError), transaction.atomic():
            Restriction.objects.create(user=self.user, role=Group.objects.get(name="viewer"))
