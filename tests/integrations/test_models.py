"""Endpoints, secrets and routes: what the rows themselves know."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import TestCase, override_settings
from django.utils import timezone

from integrations.errors import ReferenceMissing
from integrations.models import Endpoint, Route, Secret
from integrations.retry import RetryPolicy
from tests.factories import make_endpoint, make_route


class EndpointTests(TestCase):
    def test_has_one_slug_while_it_is_live_and_frees_it_when_retired(self) -> None:
        first = make_endpoint(slug="github")
        with pytest.raises(IntegrityError), transaction.atomic():
            make_endpoint(slug="github")
        with pytest.raises(ValidationError, match="exists already"):
            Endpoint(slug="github", provider="generic_none").full_clean()

        first.retire(now=timezone.now())
        second = make_endpoint(slug="github")

        self.assertEqual(list(Endpoint.objects.live()), [second])
        self.assertEqual(list(Endpoint.objects.receiving()), [second])
        self.assertEqual(Endpoint.objects.filter(slug="github").count(), 2)

    def test_receives_unless_it_is_disabled_internal_or_retired(self) -> None:
        active, paused = make_endpoint(), make_endpoint(state="paused")
        make_endpoint(state="disabled")
        make_endpoint(provider="internal")
        make_endpoint().retire(now=timezone.now())

        self.assertEqual(set(Endpoint.objects.receiving()), {active, paused})

    @override_settings(HUB_BASE_URL="https://hub.example.com/base")
    def test_has_a_public_url_unless_it_is_internal(self) -> None:
        self.assertEqual(make_endpoint(slug="github").url, "https://hub.example.com/base/hooks/github")
        self.assertIsNone(make_endpoint(provider="internal").url)

    def test_is_refused_with_values_that_cannot_work(self) -> None:
        for values in (
            {"provider": "nobody"},
            {"settings": {"no_such_setting": 1}},
            {"allowed_networks": ["10.0.0.1/8"]},
            {"content_types": ["json"]},
            {"dedupe": "a..b"},
            {"accepted_status": 302},
            {"priority": 10},
            {"rate_per_second": 0},
            {"source_rate_per_second": -1},
            {"state": "asleep"},
            {"slug": "a b"},
        ):
            with self.subTest(values), pytest.raises(ValidationError):
                Endpoint(**{"slug": "a", "provider": "generic_none", **values}).full_clean()

    def test_cannot_be_stored_in_an_impossible_state(self) -> None:
        for values in ({"state": "asleep"}, {"accepted_status": 302}, {"priority": 10}, {"rate_per_second": 0}):
            with self.subTest(values), pytest.raises(IntegrityError), transaction.atomic():
                make_endpoint(**values)

    def test_is_called_by_its_name_or_slug(self) -> None:
        self.assertEqual(str(make_endpoint(slug="a", name="Shop")), "Shop")
        self.assertEqual(str(make_endpoint(slug="b")), "b")


class SecretTests(TestCase):
    def test_counts_until_it_expires_the_newest_first(self) -> None:
        endpoint, now = make_endpoint(provider="generic_hmac"), timezone.now()
        for label, expires_at in (("old", None), ("gone", now), ("ending", now + timedelta(hours=1)), ("new", None)):
            Secret.objects.create(endpoint=endpoint, label=label, value="x", expires_at=expires_at)
        Secret.objects.filter(label="old").update(created_at=now - timedelta(days=1))

        live = [secret.label for secret in endpoint.secrets.live(now)]

        self.assertEqual(live, ["new", "ending", "old"])

    def test_is_refused_if_the_scheme_cannot_use_it(self) -> None:
        for provider, value in (("generic_hmac", ""), ("generic_none", "s3cret"), ("nobody", "s3cret")):
            with self.subTest(provider), pytest.raises(ValidationError) as refusal:
                Secret(endpoint=make_endpoint(provider=provider), value=value).clean()
            self.assertNotIn("s3cret", str(refusal.value))

    def test_is_taken_if_the_scheme_can_use_it(self) -> None:
        Secret(endpoint=make_endpoint(provider="generic_hmac"), value="a-long-enough-s3cret-of-32-characters").clean()

    def test_is_refused_if_it_refers_to_nothing(self) -> None:
        secret = Secret(endpoint=make_endpoint(provider="generic_hmac"), value="env:HUB_SECRET_NOT_SET")
        with pytest.raises(ValidationError, match="env:HUB_SECRET_NOT_SET leads nowhere"):
            secret.clean()
        with pytest.raises(ReferenceMissing):
            secret.resolved()

    def test_is_shown_by_its_label_or_date_and_never_by_its_value(self) -> None:
        secret = Secret.objects.create(endpoint=make_endpoint(), value="s3cret")
        self.assertEqual(str(secret), f"secret of {timezone.now():%Y-%m-%d}")
        self.assertNotIn("s3cret", repr(secret))
        self.assertEqual(str(Secret(label="2026-11", value="s3cret")), "2026-11")


class RouteTests(TestCase):
    def test_takes_events_by_type_and_payload(self) -> None:
        route = make_route(make_endpoint(), events=["push", "release.*"], filter="draft == `false`")

        self.assertTrue(route.takes("release.published", {"draft": False}))
        self.assertFalse(route.takes("release.published", {"draft": True}))
        self.assertFalse(route.takes("issues.opened", {"draft": False}))
        self.assertTrue(make_route(route.endpoint).takes("anything", None))

    def test_makes_deliveries_in_the_order_of_their_making_while_enabled(self) -> None:
        endpoint = make_endpoint()
        routes = [make_route(endpoint, name=name) for name in ("b", "a", "c")]
        make_route(endpoint, enabled=False)
        make_route(endpoint).retire(now=timezone.now())

        self.assertEqual(list(Route.objects.enabled()), routes)
        self.assertEqual(Route.objects.live().count(), 4)

    def test_falls_back_to_the_default_retry_policy(self) -> None:
        route = make_route(make_endpoint(), retry={"max_attempts": 2})
        self.assertEqual(route.retry_policy, RetryPolicy(max_attempts=2))

    def test_is_refused_with_values_that_cannot_work(self) -> None:
        endpoint = make_endpoint()
        for values in (
            {"handler": "nothing.at_all"},
            {"config": {"x": 1}},
            {"handler": "http.forward", "config": {"url": "ftp://a.example"}},
            {"events": ["push "]},
            {"filter": "a..b"},
            {"retry": {"max_attempts": 0}},
            {"timeout_seconds": 0},
            {"timeout_seconds": 3601},
            {"timeout_seconds": float("inf")},
            {"priority": 10},
        ):
            with self.subTest(values), pytest.raises(ValidationError):
                Route(**{"endpoint": endpoint, "name": "r", "handler": "log", **values}).full_clean()

    def test_cannot_be_stored_with_an_impossible_timeout(self) -> None:
        for seconds in (0, -1, 3601):
            with self.subTest(seconds), pytest.raises(IntegrityError), transaction.atomic():
                make_route(make_endpoint(), timeout_seconds=seconds)
