"""The certificate of the hub's own address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils.translation import gettext

from deliveries.alerts.certificate import certificates
from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find that the certificate is over soon; nothing where it is not https, or out of reach."""
    expires_at = certificates.expiry(settings.HUB_BASE_URL, now=look.now)
    if expires_at is None or expires_at >= look.now + timedelta(days=rule.limit):
        return
    text = gettext("The certificate of %(hub_base_url)s is valid until %(expires_at)s UTC.") % {
        "hub_base_url": settings.HUB_BASE_URL,
        "expires_at": f"{expires_at:%Y-%m-%d %H:%M}",
    }
    mend = gettext("Renew it: providers refuse to send to an address whose certificate is over. See the proxy's log.")
    yield Finding("certificate_expiry", gettext("Public address"), text, mend)
