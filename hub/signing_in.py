"""What django-allauth is told: names and passwords, a second factor, and the provider of single sign-on, if any.

Nobody signs up and nothing is mailed; what is decided by code of ours is in `deliveries.signing_in`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from integrations.addresses import is_loopback

#: The provider's name in addresses: the one that it sends people back to ends in oidc/sso/login/callback/.
PROVIDER_ID = "sso"

#: Wrong passwords of one name, and wrong codes of one user, counted for all web processes together.
RATE_LIMITS = {"login_failed": "10/5m/key", "reauthenticate": "10/m/user", "login": "60/m/ip"}
ACCOUNT_FORMS = {
    "login": "deliveries.signing_in.forms.StaffLoginForm",
    "reauthenticate": "deliveries.signing_in.forms.PasswordAgainForm",
}
MFA_FORMS = {
    "authenticate": "deliveries.signing_in.forms.CodeForm",
    "reauthenticate": "deliveries.signing_in.forms.CodeAgainForm",
    "activate_totp": "deliveries.signing_in.forms.FirstCodeForm",
}


@dataclass(frozen=True)
class Provider:
    """The provider of single sign-on as it is set; ``roles`` says which value of its claim gives which role."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    roles: Mapping[str, str]
    scopes: list[str]


def providers(chosen: Provider) -> dict[str, Any]:
    """Return allauth's table of providers; {} without an issuer.

    Raises `ImproperlyConfigured` where something is missing, or the issuer could be listened to on the way.
    """
    if not chosen.issuer:
        return {}
    _check(chosen)
    app = {
        "provider_id": PROVIDER_ID,
        "name": chosen.name,
        "client_id": chosen.client_id,
        "secret": chosen.client_secret,
        "settings": {"server_url": chosen.issuer},
    }
    return {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True, "SCOPE": chosen.scopes}}


def _check(chosen: Provider) -> None:
    parts = urlsplit(chosen.issuer)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        # What the provider says is believed because it came over TLS from where it should.
        raise ImproperlyConfigured("HUB_OIDC_ISSUER has to be an https address")
    for name, value in (("HUB_OIDC_CLIENT_ID", chosen.client_id), ("HUB_OIDC_CLIENT_SECRET", chosen.client_secret)):
        if not value:
            raise ImproperlyConfigured(f"{name} is not set (nor {name}_FILE), and HUB_OIDC_ISSUER is")
    if not chosen.roles:
        raise ImproperlyConfigured(
            "HUB_OIDC_ROLES is not set, and HUB_OIDC_ISSUER is: without it nobody is let in by the provider"
        )
