"""The first minutes with a new hub."""

from __future__ import annotations

import os
from unittest import mock

from django.contrib.auth import authenticate, get_user_model
from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries import quickstart
from deliveries.models import Delivery
from deliveries.receiving.samples import send_sample
from integrations.models import Endpoint


class TheFirstAdministratorTests(TestCase):
    def test_gets_a_generated_password_that_is_told_once(self) -> None:
        login = quickstart.ensure_administrator()
        again = quickstart.ensure_administrator()

        self.assertEqual((login.username, again.username, again.password), ("admin", "admin", ""))
        user = authenticate(username="admin", password=login.password)
        assert user is not None
        self.assertTrue(user.is_superuser)

    @override_settings(HUB_ADMIN_USERNAME="olga", HUB_ADMIN_PASSWORD="given-77-password")
    def test_takes_name_and_password_from_the_settings_and_does_not_tell_them(self) -> None:
        login = quickstart.ensure_administrator()

        self.assertEqual((login.username, login.password), ("olga", ""))
        self.assertIsNotNone(authenticate(username="olga", password="given-77-password"))

    def test_is_not_made_where_there_is_one(self) -> None:
        get_user_model().objects.create_superuser("root", password="x")

        self.assertEqual(quickstart.ensure_administrator(), quickstart.FirstLogin("root", ""))
        self.assertEqual(get_user_model().objects.count(), 1)


@mock.patch.dict(os.environ, {"HUB_SECRET_DEMO": "demo-secret-0123456789"})
class TheDemoEndpointTests(TestCase):
    def test_is_made_once(self) -> None:
        first, second = quickstart.ensure_demo(), quickstart.ensure_demo()

        self.assertEqual(first, second)
        self.assertEqual(Endpoint.objects.count(), 1)

    def test_stays_away_once_somebody_has_retired_it(self) -> None:
        endpoint = quickstart.ensure_demo()
        assert endpoint is not None
        endpoint.retire(now=timezone.now())

        self.assertIsNone(quickstart.ensure_demo())

    def test_takes_its_sample_event_with_the_secret_of_the_environment(self) -> None:
        endpoint = quickstart.ensure_demo()
        assert endpoint is not None

        status, answer = send_sample(endpoint)

        self.assertEqual((status, answer["status"], answer["deliveries"]), (200, "accepted", 1))
        self.assertEqual(set(Delivery.objects.values_list("route__handler", flat=True)), {"log"})
