"""Which addresses an outgoing call may reach, decided on the resolved address of the connection itself.

A check of the URL, or of a look-up of its own, would be a check of something else: the name can resolve to another
address a moment later (DNS rebinding), and ``http://0x7f.1/`` is loopback without looking like it. So the check sits
where the connection is made, and the connection goes to the very address that was checked.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue

import httpcore

from integrations.connectors.deadline import Deadline, DeadlineStream
from integrations.errors import GiveUp

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int, float], Sequence[Address]]

_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")

# What `is_global` lets through, in some Python versions or in all, and what nobody has a webhook on.
_NEVER_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT; cloud metadata at 100.100.100.200
        "168.63.129.16/32",  # Azure's platform service, reachable from inside only
        "192.0.0.0/24",  # protocol assignments; cloud metadata at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)


class EgressRefused(GiveUp):
    """The address is not public and ``HUB_EGRESS_ALLOW`` does not name it; another try would be refused too."""


def is_allowed(address: Address, allow: Iterable[Network]) -> bool:
    """Return whether a call may go to ``address``: it is public, or one of the networks in ``allow`` has it.

    An IPv4 address inside an IPv6 one (mapped, or NAT64) is judged as the IPv4 address that the packets end at.
    """
    networks = tuple(allow)
    if any(address in network for network in networks):
        return True
    embedded = _embedded(address)
    if embedded is not None:
        return is_allowed(embedded, networks)
    return _is_public(address)


def resolve(host: str, port: int, timeout: float) -> list[Address]:
    """Return the addresses of ``host`` in the system's order, each once; raises httpcore's connect errors.

    The system's resolver takes no timeout, so it runs in a thread that is left behind when the time is up.
    """
    answer: SimpleQueue[list[Address] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put(list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found)))
        except (OSError, ValueError) as exc:  # ValueError: a name that cannot be one (a label of 64 characters)
            answer.put(exc)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        result = answer.get(timeout=timeout)
    except Empty:
        raise httpcore.ConnectTimeout("the name is not resolved in time") from None
    if isinstance(result, Exception):
        raise httpcore.ConnectError(f"the name does not resolve: {result}") from result
    return result


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to allowed addresses only, each connection ending with ``deadline``.

    If one of a name's addresses is refused, the name is: which of them a connection gets is not ours to choose.
    Among allowed ones the next is tried if one does not answer.
    """

    def __init__(self, *, allow: Iterable[Network], deadline: Deadline, resolve: Resolve = resolve) -> None:
        self._allow = tuple(allow)
        self._deadline = deadline
        self._resolve = resolve
        self._connector = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to ``host``; raises `EgressRefused` or httpcore's connect errors."""
        addresses = self._resolve(host, port, self._deadline.within(timeout, httpcore.ConnectTimeout))
        for address in addresses:
            if not is_allowed(address, self._allow):
                raise EgressRefused(refusal(host, address))
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses:
            left = self._deadline.within(timeout, httpcore.ConnectTimeout)
            try:
                # The text of an address resolves to itself: nothing is looked up again.
                stream = self._connector.connect_tcp(str(address), port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
            else:
                return DeadlineStream(stream, self._deadline)
        raise failure


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if address.is_multicast or not address.is_global:
        return False
    return not any(address in network for network in _NEVER_PUBLIC)


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def refusal(host: str, address: Address) -> str:
    """Return what to tell the operator of an ``address`` that is not allowed."""
    leads = host if host == str(address) else f"{host} leads to {address}, which"
    return f"{leads} is not a public address; HUB_EGRESS_ALLOW can name private networks that calls may reach"
