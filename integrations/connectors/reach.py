"""Which private networks a connection may reach: what it names, within what this machine's environment allows.

The environment is the ceiling, so that nobody widens egress over the admin or the API: ``HUB_EGRESS_ALLOW`` is for
every call, ``HUB_EGRESS_CONNECTIONS`` for the connections that name the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.connectors.egress import Network
from integrations.validation import validate_networks


def networks_of(egress: Sequence[str] | None) -> list[Network]:
    """Return the private networks that a connection with this ``egress`` may reach now; None is ``HUB_EGRESS_ALLOW``.

    A named network that the environment no longer allows is not among them.
    """
    if egress is None:
        return list(settings.HUB_EGRESS_ALLOW)
    return [network for network in map(ip_network, egress) if _is_allowed(network)]


def validate_egress(value: Any) -> None:
    """Refuse anything but networks within what the environment allows."""
    validate_networks(value)
    outside = [item for item in value if not _is_allowed(ip_network(item))]
    if outside:
        raise ValidationError(
            gettext(
                "%(networks)s is not within HUB_EGRESS_ALLOW or HUB_EGRESS_CONNECTIONS, which only the "
                "environment of the hub can widen."
            )
            % {"networks": ", ".join(outside)}
        )


def _is_allowed(network: Network) -> bool:
    ceiling: list[Network] = [*settings.HUB_EGRESS_ALLOW, *settings.HUB_EGRESS_CONNECTIONS]
    return any(network.version == wide.version and network.subnet_of(wide) for wide in ceiling)  # type: ignore[arg-type]
