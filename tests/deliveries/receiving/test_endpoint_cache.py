from __future__ import annotations

import threading
from datetime import timedelta

from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from deliveries.models import Delivery, Rejection
from deliveries.receiving import endpoints
from deliveries.receiving.endpoints import FRESH_SECONDS, EndpointCache, LiveEndpoint
from integrations.models import Endpoint, Secret
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_endpoint, make_route


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class AnEndpointCache(SimpleTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.loads: list[str] = []
        self.cache = EndpointCache(self.load, most=3, clock=self.clock)

    def load(self, slug: str) -> LiveEndpoint | None:
        self.loads.append(slug)
        return None

    def test_loads_once_while_what_it_has_is_fresh(self) -> None:
        self.cache.get("a")
        self.clock.now = FRESH_SECONDS - 0.01
        self.cache.get("a")

        self.assertEqual(self.loads, ["a"])

    def test_loads_again_within_a_second(self) -> None:
        self.cache.get("a")
        self.clock.now = FRESH_SECONDS
        self.cache.get("a")

        self.assertEqual(self.loads, ["a", "a"])
        self.assertLess(FRESH_SECONDS, 1)

    def test_counts_from_the_start_of_a_load(self) -> None:
        def slow(slug: str) -> None:
            self.loads.append(slug)
            self.clock.now += 0.5

        cache = EndpointCache(slow, clock=self.clock)
        cache.get("a")
        self.clock.now = FRESH_SECONDS
        cache.get("a")

        self.assertEqual(self.loads, ["a", "a"])

    def test_does_not_keep_what_was_loaded_while_it_was_told_to_forget(self) -> None:
        def told(slug: str) -> None:
            self.loads.append(slug)
            cache.forget()

        cache = EndpointCache(told, clock=self.clock)
        cache.get("a"), cache.get("a")

        self.assertEqual(self.loads, ["a", "a"])

    def test_says_what_it_loaded_last_without_loading(self) -> None:
        cache = EndpointCache(str.upper, clock=self.clock)

        self.assertIsNone(cache.last("a"))
        cache.get("a")
        self.clock.now = 1000
        self.assertEqual(cache.last("a"), "A")

    def test_is_bounded(self) -> None:
        for slug in "abcda":
            self.cache.get(slug)

        self.assertEqual(self.loads, list("abcda"))

    def test_loads_once_for_all_who_wait(self) -> None:
        entered, go_on = threading.Event(), threading.Event()

        def slow(slug: str) -> None:
            self.loads.append(slug)
            entered.set()
            go_on.wait(10)

        cache = EndpointCache(slow, clock=self.clock)
        threads = [threading.Thread(target=cache.get, args=("a",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        entered.wait(10)
        go_on.set()
        for thread in threads:
            thread.join(10)

        self.assertEqual(self.loads, ["a"])

    def test_makes_nobody_wait_for_a_load_while_what_it_has_is_not_a_second_old(self) -> None:
        begun, may_end, seen = threading.Event(), threading.Event(), []

        def slow(slug: str) -> str:
            if seen:
                begun.set()
                may_end.wait(10)
            return f"load {len(seen)}"

        cache = EndpointCache(slow, clock=self.clock)
        seen.append(cache.get("a"))
        self.clock.now += 0.9
        loading = threading.Thread(target=lambda: seen.append(cache.get("a")))
        loading.start()
        self.assertTrue(begun.wait(10))

        beside = cache.get("a")
        self.clock.now += 0.1  # too old for anybody now
        waiting = threading.Thread(target=lambda: seen.append(cache.get("a")))
        waiting.start()
        waiting.join(0.05)
        self.assertTrue(waiting.is_alive())
        may_end.set()
        loading.join(10), waiting.join(10)

        self.assertEqual((beside, seen[0]), ("load 0", "load 0"))
        self.assertEqual(set(seen[1:]), {"load 1"})

    def test_does_not_keep_a_failure(self) -> None:
        def failing(slug: str) -> None:
            self.loads.append(slug)
            raise OSError

        cache = EndpointCache(failing, clock=self.clock)
        for _ in range(2):
            with self.assertRaises(OSError):
                cache.get("a")

        self.assertEqual(self.loads, ["a", "a"])


class AChange(Sender, TestCase):
    """Made in this process: known at once. In another: known when what was loaded is no longer fresh."""

    def test_of_an_endpoint_is_known_at_once(self) -> None:
        endpoint = signed_endpoint()
        self.assertEqual(self.send(endpoint).status_code, 200)

        endpoint.state = "disabled"
        endpoint.save()

        self.assertEqual(self.send(endpoint).status_code, 404)

    def test_of_a_route_is_known_at_once(self) -> None:
        endpoint = signed_endpoint()
        self.send(endpoint, event_id="1")

        make_route(endpoint)
        self.send(endpoint, event_id="2")

        self.assertEqual(Delivery.objects.count(), 1)

    def test_by_another_process_is_known_within_a_second(self) -> None:
        endpoint = signed_endpoint()
        clock = Clock()
        cache = EndpointCache(endpoints.load, clock=clock)
        self.assertIsNotNone(cache.get(endpoint.slug))

        Endpoint.objects.update(state="disabled")  # no signal

        clock.now = 0.9
        self.assertIsNone(cache.get(endpoint.slug))

    def test_that_makes_an_endpoint_is_known_though_the_slug_was_asked_for_before(self) -> None:
        self.assertEqual(self.client.post("/hooks/soon").status_code, 404)

        self.assertEqual(self.send(signed_endpoint(slug="soon")).status_code, 200)


class ASecret(Sender, TestCase):
    def test_beside_the_newest_still_proves(self) -> None:
        endpoint = signed_endpoint(secret="old")
        Secret.objects.create(endpoint=endpoint, value="new")

        self.assertEqual(self.send(endpoint, secret="old").status_code, 200)
        self.assertEqual(self.send(endpoint, secret="new").status_code, 200)

    def test_that_has_expired_proves_nothing(self) -> None:
        endpoint = signed_endpoint(secret="old")
        Secret.objects.create(endpoint=endpoint, value="new")
        Secret.objects.filter(label="test").update(expires_at=timezone.now() - timedelta(seconds=1))
        endpoints.forget()

        self.assertEqual(self.send(endpoint, secret="old").status_code, 401)
        self.assertEqual(self.send(endpoint, secret="new").status_code, 200)

    def test_that_expires_while_it_is_cached_drops_out_at_its_time(self) -> None:
        endpoint = signed_endpoint()
        end = timezone.now() + timedelta(minutes=5)
        Secret.objects.update(expires_at=end)
        endpoints.forget()
        live = endpoints.at(endpoint.slug)

        self.assertEqual(len(live.secrets_at(end - timedelta(microseconds=1))), 1)
        self.assertEqual(live.secrets_at(end), [])

    def test_that_is_deleted_proves_nothing(self) -> None:
        endpoint = signed_endpoint()
        self.assertEqual(self.send(endpoint).status_code, 200)

        endpoint.secrets.get().delete()

        self.assertEqual(self.send(endpoint).status_code, 401)

    def test_whose_reference_leads_nowhere_is_left_out_and_named_once(self) -> None:
        endpoint = signed_endpoint(secret="env:HUB_SECRET_NOT_SET")
        Secret.objects.create(endpoint=endpoint, value="there")

        with self.assertLogs("deliveries.receiving.endpoints", "WARNING") as logs:
            self.assertEqual(self.send(endpoint, secret="there").status_code, 200)
            endpoints.forget()
            self.assertEqual(self.send(endpoint, secret="env:HUB_SECRET_NOT_SET").status_code, 401)

        self.assertEqual(len(logs.records), 1)
        self.assertIn("env:HUB_SECRET_NOT_SET", str(logs.records[0].msg))

    def test_that_cannot_be_decrypted_is_answered_with_503_until_its_key_is_back(self) -> None:
        endpoint = signed_endpoint()
        from cryptography.fernet import Fernet

        with (
            self.settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()]),
            self.assertLogs("deliveries.receiving.endpoints", "ERROR"),
            self.assertLogs("django.request", "ERROR"),
        ):
            response = self.send(endpoint)

        self.assertEqual((response.status_code, response.json()), (503, {"error": "unavailable"}))
        self.assertEqual(self.send(endpoint).status_code, 200)

    def test_remembers_when_it_last_proved_a_request(self) -> None:
        endpoint = signed_endpoint(secret="old")
        newer = Secret.objects.create(endpoint=endpoint, value="new")

        self.send(endpoint, secret="old")
        first = Secret.objects.get(label="test").last_used_at
        self.send(endpoint, event_id="2", secret="old")

        newer.refresh_from_db()
        self.assertIsNone(newer.last_used_at)
        self.assertLess(timezone.now() - first, timedelta(seconds=10))
        self.assertEqual(Secret.objects.get(label="test").last_used_at, first)  # at most once a minute

    def test_is_in_no_text_of_a_loaded_endpoint(self) -> None:
        endpoint = signed_endpoint(secret="do not show me")

        self.assertNotIn("do not show me", repr(endpoints.at(endpoint.slug)))


class AnEndpointThatCannotWork(Sender, TestCase):
    def test_refuses_and_says_so_to_the_operator(self) -> None:
        endpoint = signed_endpoint(settings={"template": "{nonsense}"})

        with self.assertLogs("deliveries.receiving.endpoints", "WARNING"):
            response = self.send(endpoint)

        self.assertEqual(response.status_code, 401)
        self.assertEqual(Rejection.objects.get().reason, "settings_unusable")

    def test_proves_nothing_without_a_secret_whatever_its_provider(self) -> None:
        from integrations.providers import providers

        for provider in providers:
            if provider in {"generic_none", "internal"}:
                continue
            endpoint = make_endpoint(provider=provider)
            with self.subTest(provider):
                self.assertEqual(self.send(endpoint, secret="").status_code, 401)
