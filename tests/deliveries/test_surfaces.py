"""What can be set up by a person can be set up by a program: over the API, and in the configuration file."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import RequestFactory, SimpleTestCase

from deliveries.api.urls import router
from deliveries.configuration.kinds import KINDS

OWN = {"integrations", "deliveries"}


class SetUpTests(SimpleTestCase):
    def test_is_the_same_in_the_admin_over_the_api_and_in_the_file(self) -> None:
        request = RequestFactory().get("/admin/")
        request.user = User(is_superuser=True, is_active=True, is_staff=True)
        by_people = {
            model
            for model, page in admin.site._registry.items()
            if model._meta.app_label in OWN and page.has_add_permission(request)
        }
        views: list[Any] = [view for _, view, _ in router.registry]

        self.assertGreaterEqual(len(by_people), 5)
        self.assertEqual(by_people, {view.queryset.model for view in views if hasattr(view, "take_away")})
        self.assertEqual(by_people, {kind.serializer.Meta.model for kind in KINDS})
