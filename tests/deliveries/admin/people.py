"""Users in the roles that the migration makes, and clients logged in as them."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.test import Client

SECRET = "the-secret-of-this-test-9f3a"


def make_user(role: str, *, name: str = "") -> User:
    """Make a user: ``viewer``, ``operator``, ``administrator``, ``superuser``, or ``nobody`` (may log in, no role)."""
    user = User.objects.create_user(
        name or role, password="correct horse battery", is_staff=True, is_superuser=role == "superuser"
    )
    if role not in {"superuser", "nobody"}:
        user.groups.add(Group.objects.get(name=role))
    return user


def logged_in(role: str) -> Client:
    client = Client()
    client.force_login(User.objects.filter(username=role).first() or make_user(role))
    return client
