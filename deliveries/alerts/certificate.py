"""How long the certificate of the hub's own address is valid: asked for now and then, over the network."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import structlog

logger = structlog.get_logger(__name__)

_HTTPS_PORT = 443
_PATIENCE_SECONDS = 3.0
#: An answer is good for so long, also that there was none.
_FRESH = timedelta(hours=6)


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="certificate", daemon=True).start()


class Certificates:
    """The certificate's end, as it was when it was last asked for; asking holds nobody up."""

    def __init__(
        self, ask: Callable[[str, int], datetime | None], *, run: Callable[[Callable[[], None]], None] = _in_a_thread
    ) -> None:
        self._ask = ask
        self._run = run
        self._asked_at: tuple[str, datetime] | None = None
        self._found: tuple[str, datetime | None] = ("", None)

    def expiry(self, url: str, *, now: datetime) -> datetime | None:
        """Return when the certificate of ``url`` is over; None where it is not https, or not known."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            return None
        if self._asked_at is None or self._asked_at[0] != url or now - self._asked_at[1] >= _FRESH:
            self._asked_at = (url, now)
            self._run(partial(self._look, url, parts.hostname, parts.port or _HTTPS_PORT))
        return self._found[1] if self._found[0] == url else None

    def _look(self, url: str, host: str, port: int) -> None:
        self._found = (url, self._ask(host, port))


def ask(host: str, port: int) -> datetime | None:
    """Return the end of the certificate that ``host`` shows; None if it cannot be had. One that is over has ended now.

    A certificate that is not valid for another reason is not judged: browsers and providers tell of that at once.
    """
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE_SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as exc:
        return datetime.now(UTC) if exc.verify_code == _EXPIRED else None
    except OSError as exc:
        logger.info("certificate.not_asked", host=host, error_type=type(exc).__name__)
        return None
    ends = shown.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC) if ends else None


#: OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED.
_EXPIRED = 10

certificates = Certificates(ask)
