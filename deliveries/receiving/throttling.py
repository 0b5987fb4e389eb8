"""How often a source, and an endpoint as a whole, may send."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING, cast

from cachetools import LRUCache
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from deliveries.receiving.source import Address
    from deliveries.receiving.view import ReceiveView


class TokenBuckets:
    """A rate for each key, in this process: one second's worth, at least one, or ``burst``, may come at once.

    Bounded in number; a key that has been pushed out starts with a full bucket.
    """

    def __init__(self, *, most: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: LRUCache[Hashable, tuple[float, float]] = LRUCache(most)

    def take(self, key: Hashable, rate: float, *, burst: float | None = None) -> float:
        """Take one of ``rate`` a second; return 0, or the seconds until there is one (and nothing is taken)."""
        full = max(1.0, rate) if burst is None else burst
        with self._lock:
            now = self._clock()
            level, at = self._levels.get(key, (full, now))
            level = min(full, level + (now - at) * rate)
            self._levels[key] = (level - 1 if level >= 1 else level, now)
        return 0.0 if level >= 1 else (1 - level) / rate

    def give_back(self, key: Hashable) -> None:
        """Undo one `take`."""
        with self._lock:
            if key in self._levels:
                level, at = self._levels[key]
                self._levels[key] = (level + 1, at)

    def clear(self) -> None:
        """Fill every bucket."""
        with self._lock:
            self._levels.clear()


class Rate(BaseThrottle, ABC):
    """A throttle whose rate is the endpoint's own; None is no limit."""

    #: The reason that the operator reads.
    reason: str
    _buckets: TokenBuckets

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return whether the request is within the rate of the view's endpoint, and take it off if so."""
        key, rate = self.limit(cast("ReceiveView", view))
        self._wait = 0.0 if rate is None else self._buckets.take(key, rate)
        return not self._wait

    def wait(self) -> float:
        """Return the seconds until the next request may come."""
        return self._wait

    @abstractmethod
    def limit(self, view: ReceiveView) -> tuple[Hashable, float | None]:
        """Return what is counted together, and how much of it a second."""


class SourceRate(Rate):
    """Requests a second from one address, proven or not; IPv6 addresses of one /64 count as one."""

    reason = "source_rate_limited"
    _buckets = TokenBuckets()

    def limit(self, view: ReceiveView) -> tuple[Hashable, float | None]:
        """Count by endpoint and address."""
        return (view.endpoint.row.pk, neighbourhood(view.source)), view.endpoint.row.source_rate_per_second


class EndpointRate(Rate):
    """Proven requests a second, from wherever; strangers cannot use it up."""

    reason = "endpoint_rate_limited"
    _buckets = TokenBuckets()

    def limit(self, view: ReceiveView) -> tuple[Hashable, float | None]:
        """Count by endpoint."""
        return view.endpoint.row.pk, view.endpoint.row.rate_per_second


def neighbourhood(address: Address | None) -> Hashable:
    """Return what counts as one sender: an IPv4 address, the /64 of an IPv6 address; None for an unknown one."""
    # One customer of a provider has a /64, and so more addresses than could be counted.
    return IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address
