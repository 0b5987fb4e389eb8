"""How often a source, and an endpoint as a whole, may send: over all web processes together, see `elsewhere`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING, cast

from rest_framework.throttling import BaseThrottle

from deliveries.receiving.buckets import TokenBuckets
from deliveries.receiving.elsewhere import Exchange

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from deliveries.receiving.source import Address
    from deliveries.receiving.view import ReceiveView


class Rate(BaseThrottle, ABC):
    """A throttle whose rate is the endpoint's own; None is no limit."""

    #: The reason that the operator reads.
    reason: str
    _buckets: TokenBuckets

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return whether the request is within the rate of the view's endpoint, and take it off if so."""
        receiving = cast("ReceiveView", view)
        rate = self.rate(receiving)
        self._wait = 0.0 if rate is None else self._buckets.take(self.key(receiving), rate)
        return not self._wait

    def wait(self) -> float:
        """Return the seconds until the next request may come."""
        return self._wait

    @abstractmethod
    def key(self, view: ReceiveView) -> Hashable:
        """Return what is counted together."""

    @abstractmethod
    def rate(self, view: ReceiveView) -> float | None:
        """Return how much of it may come a second; None for any number."""


class SourceRate(Rate):
    """Requests a second from one address, proven or not; IPv6 addresses of one /64 count as one."""

    reason = "source_rate_limited"
    _buckets = TokenBuckets(name="source")

    def key(self, view: ReceiveView) -> Hashable:
        """Count by endpoint and address."""
        return view.endpoint.row.pk, neighbourhood(view.source)

    def rate(self, view: ReceiveView) -> float | None:
        """Return the endpoint's rate for a source."""
        return view.endpoint.row.source_rate_per_second


class EndpointRate(Rate):
    """Proven requests a second, from wherever; strangers cannot use it up."""

    reason = "endpoint_rate_limited"
    _buckets = TokenBuckets(name="endpoint")

    def key(self, view: ReceiveView) -> Hashable:
        """Count by endpoint."""
        return view.endpoint.row.pk

    def rate(self, view: ReceiveView) -> float | None:
        """Return the endpoint's rate."""
        return view.endpoint.row.rate_per_second


def neighbourhood(address: Address | None) -> Hashable:
    """Return what counts as one sender: an IPv4 address, the /64 of an IPv6 address; None for an unknown one."""
    # One customer of a provider has a /64, and so more addresses than could be counted.
    return IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address


#: Made before the web server forks, as the buckets are.
exchange = Exchange({"source": SourceRate._buckets, "endpoint": EndpointRate._buckets})
