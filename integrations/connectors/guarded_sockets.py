"""The egress guard for clients that are built on aiohttp: where it makes its sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from integrations.connectors.egress import EgressRefused, is_allowed, refusal
from integrations.connectors.spec import ConnectionSpec


def guard(spec: ConnectionSpec, refused: list[EgressRefused]) -> Callable[[Any], socket.socket]:
    """Return what makes aiohttp's sockets: only to addresses that ``spec`` may reach, the others go to ``refused``.

    It sees the resolved address that is connected to, so that a name that resolves to another a moment later helps
    nobody.
    """

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        found = ip_address(address[0].partition("%")[0])
        if not is_allowed(found, spec.allow):
            refused.append(EgressRefused(refusal(str(found), found)))
            raise refused[-1]  # no OSError, after which gcsfs would try again, and wait in between
        return socket.socket(family, kind, protocol)

    return make
