from __future__ import annotations

from ipaddress import ip_address

from django.test import SimpleTestCase

from deliveries.receiving.throttling import TokenBuckets, neighbourhood


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class ATokenBucket(SimpleTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.buckets = TokenBuckets(most=2, clock=self.clock)

    def taken(self, key: str, rate: float, times: int) -> int:
        return sum(not self.buckets.take(key, rate) for _ in range(times))

    def test_gives_one_seconds_worth_at_once(self) -> None:
        self.assertEqual(self.taken("a", 5, 20), 5)

    def test_fills_up_at_its_rate_and_no_further(self) -> None:
        self.taken("a", 5, 20)
        self.clock.now = 0.4
        self.assertEqual(self.taken("a", 5, 20), 2)
        self.clock.now = 100
        self.assertEqual(self.taken("a", 5, 20), 5)

    def test_says_when_to_come_again(self) -> None:
        self.buckets.take("a", 0.1)

        self.assertAlmostEqual(self.buckets.take("a", 0.1), 10)
        self.clock.now = 4
        self.assertAlmostEqual(self.buckets.take("a", 0.1), 6)

    def test_takes_nothing_for_what_it_refuses(self) -> None:
        self.taken("a", 1, 50)
        self.clock.now = 1

        self.assertEqual(self.taken("a", 1, 5), 1)

    def test_is_one_for_each_key_and_bounded_in_number(self) -> None:
        self.assertEqual([self.taken(key, 1, 2) for key in "abca"], [1, 1, 1, 1])

    def test_follows_a_rate_that_an_operator_has_changed(self) -> None:
        self.taken("a", 1, 2)
        self.clock.now = 1

        self.assertEqual(self.taken("a", 10, 50), 10)


class OneSource(SimpleTestCase):
    def test_is_an_ipv4_address_or_an_ipv6_network_of_one_customer(self) -> None:
        same = [neighbourhood(ip_address(text)) for text in ("2001:db8::1", "2001:db8::ffff:1")]

        self.assertEqual(*same)
        self.assertNotEqual(same[0], neighbourhood(ip_address("2001:db8:0:1::1")))
        self.assertNotEqual(*(neighbourhood(ip_address(text)) for text in ("192.0.2.1", "192.0.2.2")))
