from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client, TestCase
from django.urls import NoReverseMatch, reverse
from django_q.models import Schedule

from tests.deliveries.admin.people import logged_in, make_user

pytestmark = pytest.mark.any_database

#: What the part of the page that restricts a user to groups posts when there is nothing in it.
UNRESTRICTED = {"restriction-TOTAL_FORMS": "0", "restriction-INITIAL_FORMS": "0"}
ROLES = ("viewer", "operator", "administrator")


def permissions_of(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


class RoleTests(TestCase):
    def test_of_a_viewer_may_only_look(self) -> None:
        self.assertEqual({name.split(".")[1].split("_")[0] for name in permissions_of("viewer")}, {"view"})

    def test_of_an_operator_adds_exactly_what_operating_takes(self) -> None:
        added = permissions_of("operator") - permissions_of("viewer")

        operating = {"deliveries.replay_delivery", "deliveries.order_backfill", "integrations.test_connection"}
        operating |= {"deliveries.run_schedule", "deliveries.export_delivery", "deliveries.test_alertrule"}
        operating |= {"deliveries.accept_only", "deliveries.accept_shape"}
        self.assertEqual(added, operating)

    def test_of_an_administrator_includes_the_operators(self) -> None:
        self.assertLess(permissions_of("operator"), permissions_of("administrator"))

    def test_cannot_change_history(self) -> None:
        for role in ROLES:
            changing = {
                name
                for name in permissions_of(role)
                if name.startswith("deliveries.")
                and not name.split(".")[1].startswith(("view_", "replay_", "reveal_", "export_"))
                and not name.endswith(("_backfill", "_schedule", "_alertrule"))  # how the hub is set up is no history
                and not name.endswith((".legal_hold", ".erase"))  # it keeps history, or the law wants it
                and not name.endswith((".accept_only", ".accept_shape"))  # they are about what comes next
            }
            self.assertEqual(changing, set(), role)

    def test_has_nothing_of_django_q(self) -> None:
        for role in ROLES:
            self.assertEqual({name for name in permissions_of(role) if name.startswith("django_q.")}, set(), role)

    def test_is_removed_and_made_again_by_the_migration(self) -> None:
        migration = import_module("deliveries.migrations.0002_roles")
        editor = SimpleNamespace(connection=connection)

        migration.remove_roles(apps, editor)
        self.assertFalse(Group.objects.filter(name__in=ROLES).exists())
        migration.make_roles(apps, editor)
        migration.make_roles(apps, editor)

        self.assertEqual(Group.objects.filter(name__in=ROLES).count(), 3)
        self.assertIn("deliveries.replay_delivery", permissions_of("operator"))


class DjangoQTests(TestCase):
    def setUp(self) -> None:
        self.models = list(apps.get_app_config("django_q").get_models())

    def test_has_no_page_registered(self) -> None:
        self.assertTrue(self.models)
        for model in self.models:
            self.assertFalse(admin.site.is_registered(model), model)

    def test_has_no_address_in_the_admin_for_anybody(self) -> None:
        for role in ("administrator", "superuser"):
            client = logged_in(role)
            for model in self.models:
                name = f"django_q_{model._meta.model_name}"
                with self.assertRaises(NoReverseMatch):
                    reverse(f"admin:{name}_changelist")
                for tail in ("", "add/", "1/change/", "1/delete/", "1/history/"):
                    address = f"/admin/django_q/{model._meta.model_name}/{tail}"
                    self.assertEqual(client.get(address).status_code, 404, (role, address))
            self.assertEqual(client.get("/admin/django_q/").status_code, 404, role)

    def test_takes_no_schedule_from_anybody(self) -> None:
        for role in ("administrator", "superuser"):
            answer = logged_in(role).post(
                "/admin/django_q/schedule/add/", {"func": "os.system", "args": "('id',)", "schedule_type": "O"}
            )
            self.assertEqual(answer.status_code, 404)
        self.assertFalse(Schedule.objects.exists())

    def test_is_named_on_no_page(self) -> None:
        for role in ("administrator", "superuser"):
            client = logged_in(role)
            for address in ("/admin/", "/admin/deliveries/", "/admin/integrations/", "/admin/auth/"):
                self.assertNotContains(client.get(address), "django_q", msg_prefix=role)

    def test_cannot_be_granted_through_a_group_or_a_user(self) -> None:
        closed = Permission.objects.filter(content_type__app_label="django_q").first()
        assert closed is not None
        client = logged_in("superuser")
        user = make_user("viewer")

        group_page = client.post("/admin/auth/group/add/", {"name": "sly", "permissions": [closed.pk], **UNRESTRICTED})
        user_page = client.post(
            f"/admin/auth/user/{user.pk}/change/",
            {
                "username": "viewer",
                "is_active": "on",
                "is_staff": "on",
                "user_permissions": [closed.pk],
                **UNRESTRICTED,
            },
        )

        self.assertContains(group_page, "Select a valid choice")
        self.assertContains(user_page, "Select a valid choice")
        self.assertFalse(Group.objects.filter(name="sly").exists())
        self.assertNotContains(client.get("/admin/auth/group/add/"), "Django Q")


class AdministratorTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")
        self.me = User.objects.get(username="administrator")

    def change(self, user: User, **fields: Any) -> Any:
        data = {"username": user.username, "is_active": "on", "is_staff": "on", **UNRESTRICTED, **fields}
        return self.client.post(f"/admin/auth/user/{user.pk}/change/", data)

    def test_makes_an_operator(self) -> None:
        operator = Group.objects.get(name="operator")
        answer = self.client.post(
            "/admin/auth/user/add/",
            {
                "username": "otto",
                "usable_password": "true",
                "password1": "a long enough pass phrase",
                "password2": "a long enough pass phrase",
                "is_staff": "on",
                "groups": [operator.pk],
                **UNRESTRICTED,
            },
        )

        self.assertEqual(answer.status_code, 302)
        self.assertTrue(User.objects.get(username="otto").has_perm("deliveries.replay_delivery"))

    def test_cannot_become_a_superuser(self) -> None:
        page = self.client.get(f"/admin/auth/user/{self.me.pk}/change/")
        self.change(self.me, is_superuser="on")
        self.me.refresh_from_db()

        self.assertFalse(self.me.is_superuser)
        self.assertNotContains(page, "is_superuser")
        self.assertNotContains(page, "user_permissions")

    def test_cannot_make_a_superuser(self) -> None:
        self.client.post(
            "/admin/auth/user/add/",
            {
                "username": "mallory",
                "usable_password": "true",
                "password1": "a long enough pass phrase",
                "password2": "a long enough pass phrase",
                "is_superuser": "on",
                **UNRESTRICTED,
            },
        )

        self.assertFalse(User.objects.filter(username="mallory", is_superuser=True).exists())

    def test_cannot_change_a_superuser_or_set_its_password(self) -> None:
        root = make_user("superuser")
        before = root.password

        changed = self.change(root, username="taken")
        password = self.client.post(
            f"/admin/auth/user/{root.pk}/password/",
            {"usable_password": "true", "password1": "mine now mine now", "password2": "mine now mine now"},
        )
        root.refresh_from_db()

        self.assertEqual((changed.status_code, password.status_code), (403, 403))
        self.assertEqual((root.username, root.password), ("superuser", before))

    def test_cannot_give_what_they_do_not_have(self) -> None:
        strong = Group.objects.create(name="strong")
        strong.permissions.add(Permission.objects.get(codename="change_group"))
        viewer = make_user("viewer")

        page = self.change(viewer, groups=[strong.pk])

        self.assertContains(page, "Select a valid choice")
        self.assertNotIn(strong, viewer.groups.all())

    def test_cannot_take_over_somebody_who_can_do_more_even_switched_off(self) -> None:
        strong = make_user("viewer", name="strong")
        strong.user_permissions.add(Permission.objects.get(codename="change_group"))
        User.objects.filter(pk=strong.pk).update(is_active=False)

        self.assertEqual(self.change(strong).status_code, 403)

    def test_cannot_change_the_roles(self) -> None:
        group = Group.objects.get(name="administrator")

        self.assertEqual(self.client.get("/admin/auth/group/").status_code, 200)
        self.assertEqual(self.client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "x"}).status_code, 403)
        self.assertEqual(self.client.post("/admin/auth/group/add/", {"name": "x"}).status_code, 403)

    def test_cannot_delete_a_user_whose_doings_the_log_names(self) -> None:
        viewer = make_user("viewer")

        self.assertEqual(self.client.post(f"/admin/auth/user/{viewer.pk}/delete/", {"post": "yes"}).status_code, 403)


class StrangerTests(TestCase):
    def test_is_sent_to_the_login(self) -> None:
        answer = Client().get("/admin/deliveries/event/")

        self.assertRedirects(answer, "/admin/login/?next=/admin/deliveries/event/")
