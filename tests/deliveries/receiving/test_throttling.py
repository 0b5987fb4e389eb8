from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from ipaddress import ip_address

from django.test import SimpleTestCase

from deliveries.receiving.buckets import TokenBuckets
from deliveries.receiving.throttling import neighbourhood


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

    def test_can_be_given_back_and_filled(self) -> None:
        self.taken("a", 1, 1)
        self.buckets.give_back("a")
        self.buckets.give_back("never asked for")
        self.assertEqual(self.taken("a", 1, 5), 1)
        self.buckets.clear()
        self.assertEqual(self.taken("a", 1, 5), 1)

    def test_gives_nothing_for_a_clock_that_another_process_read_earlier(self) -> None:
        self.clock.now = 10
        self.taken("a", 1, 1)
        self.clock.now = 9.5
        self.assertEqual(self.taken("a", 1, 1), 0)
        self.clock.now = 10.5

        self.assertEqual(self.taken("a", 1, 1), 0)


class TokenBucketsOfSeveralProcesses(SimpleTestCase):
    """Real processes, forked after the buckets were made, as the web server does."""

    def setUp(self) -> None:
        self.buckets = TokenBuckets(clock=lambda: 0.0)

    def forked(self, take: Callable[[], int]) -> int:
        """Run ``take`` in a process of its own; return the process id. It exits with what ``take`` returns."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests: the fork uses none of them
            pid = os.fork()
        if not pid:
            status = 255
            try:
                status = take()
            finally:
                os._exit(status)
        return pid

    def ended(self, pid: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def taken(self, key: str, rate: float, times: int) -> int:
        return sum(not self.buckets.take(key, rate) for _ in range(times))

    def test_give_no_more_together_than_one_alone(self) -> None:
        pids = [self.forked(lambda: self.taken("a", 100, 300)) for _ in range(3)]

        self.assertEqual(sum(self.ended(pid) for pid in pids) + self.taken("a", 100, 300), 100)

    def test_give_each_key_its_own(self) -> None:
        pids = [self.forked(lambda key=key: self.taken(key, 100, 300)) for key in "abc"]

        self.assertEqual([self.ended(pid) for pid in pids], [100, 100, 100])

    def test_go_on_when_one_is_killed_at_any_moment(self) -> None:
        pids = [self.forked(lambda: self.taken("a", 1, 10_000_000)) for _ in range(2)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            self.ended(pid)

        self.assertLessEqual(self.taken("a", 5, 20), 5)
        self.assertEqual(self.taken("b", 5, 20), 5)


class OneSource(SimpleTestCase):
    def test_is_an_ipv4_address_or_an_ipv6_network_of_one_customer(self) -> None:
        same = [neighbourhood(ip_address(text)) for text in ("2001:db8::1", "2001:db8::ffff:1")]

        self.assertEqual(*same)
        self.assertNotEqual(same[0], neighbourhood(ip_address("2001:db8:0:1::1")))
        self.assertNotEqual(*(neighbourhood(ip_address(text)) for text in ("192.0.2.1", "192.0.2.2")))
