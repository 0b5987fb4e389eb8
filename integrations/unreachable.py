"""Why another system could not be reached, from a closed set: the texts of such errors hold addresses, and vary."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

import httpcore
import httpx
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

#: OpenSSL's codes of what is wrong with a certificate.
_EXPIRED = frozenset({9, 10})  # not yet valid, no longer valid
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})  # self-signed, or an issuer that is not trusted here
_OTHER_NAME = frozenset({62, 64})  # made out to another name, or address
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


class Cause(TextChoices):
    """What stood in the way."""

    NAME = "name_not_found", _("its name is not found")
    REFUSED = "connection_refused", _("the connection was refused, as nobody listens there")
    NO_WAY = "no_route", _("no network leads there")
    TIMED_OUT = "timed_out", _("there was no answer in time")
    EXPIRED = "certificate_expired", _("its certificate is over, or not valid yet")
    UNKNOWN_ISSUER = "certificate_issuer", _("its certificate is from nobody that is trusted here")
    OTHER_NAME = "certificate_name", _("its certificate is made out to another name")
    CERTIFICATE = "certificate", _("its certificate is not accepted")
    TLS = "tls", _("TLS cannot be agreed on, or is not spoken there")
    NO_HTTP = "no_http", _("it broke off, or does not speak HTTP")
    OTHER = "unreachable", _("it cannot be reached")


def cause_of(error: BaseException) -> Cause:
    """Return what stood in the way of a call that ended with ``error``, of whichever library."""
    for link in _chain(error):
        if (cause := _of(link)) is not None:
            return cause
    return Cause.OTHER


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what it came from, the first cause first: libraries wrap it, most of them twice."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__  # also one that is suppressed, as httpcore has it
    return reversed(links)


def _of(error: BaseException) -> Cause | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error.verify_code)
    if isinstance(error, TimeoutError | httpx.TimeoutException | httpcore.TimeoutException):
        return Cause.TIMED_OUT
    if isinstance(error, ssl.SSLError):
        return Cause.TLS
    if isinstance(error, socket.gaierror):
        return Cause.NAME
    if isinstance(error, ConnectionRefusedError):
        return Cause.REFUSED
    # http.client's own is a ConnectionResetError, too.
    if isinstance(error, ConnectionError | http.client.HTTPException | httpx.ProtocolError | httpcore.ProtocolError):
        return Cause.NO_HTTP
    if isinstance(error, OSError) and error.errno in _NO_WAY:
        return Cause.NO_WAY
    return None


def _of_certificate(code: int) -> Cause:
    for codes, cause in (
        (_EXPIRED, Cause.EXPIRED),
        (_UNKNOWN_ISSUER, Cause.UNKNOWN_ISSUER),
        (_OTHER_NAME, Cause.OTHER_NAME),
    ):
        if code in codes:
            return cause
    return Cause.CERTIFICATE
