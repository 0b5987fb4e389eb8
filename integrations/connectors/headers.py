"""Headers that an operator may write for every call of a connection."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.connectors.proofs import HEADER_NAME

# RFC 9110 section 7.6.1, and what the client has to say itself.
HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade", "http2-settings"),
        *("host", "content-length", "expect", "accept-encoding"),
    }
)

#: Names of headers, and of fields, that carry a credential.
CREDENTIAL = re.compile(
    r"cookie|authori[sz]ation|authentication-info|token|secret|password|api-?key|signature|session", re.IGNORECASE
)

_NAME = re.compile(HEADER_NAME)
_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_MOST = 50


def validate_header_name(value: str) -> None:
    """Refuse what is no name of a header, or one that the client sends itself."""
    if not _NAME.match(value) or value.lower() in HOP_BY_HOP:
        raise ValidationError(
            gettext("This has to be the name of a header, and none of the connection itself, such as Host.")
        )


def validate_headers(value: Any) -> None:
    """Refuse anything but texts by the names of headers, and every header that carries a credential."""
    if not isinstance(value, dict) or len(value) > _MOST:
        raise ValidationError(gettext("This has to be an object of at most %(most)s texts.") % {"most": _MOST})
    for name, text in value.items():
        validate_header_name(name)
        if CREDENTIAL.search(name):
            raise ValidationError(
                gettext("%(name)s carries a credential, which belongs to the proof: auth and credentials.")
                % {"name": name}
            )
        if not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise ValidationError(
                gettext("%(name)s: the value has to be up to 1000 visible ASCII characters.") % {"name": name}
            )
