"""What failures of one kind have in common: the error without what differs from one to the next."""

from __future__ import annotations

import hashlib
import re

#: Of an error, in this order: quoted texts, addresses' queries, ids, and whatever else has a digit in it.
_VARIABLE = re.compile(
    r"'[^']*'|\"[^\"]*\"|“[^”]*”"
    r"|\?[^\s]*"
    r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b"
    r"|\b(?!\d{3}\b)\w*\d[\w.:-]*"  # a status of three digits says what is wrong: it stays
)
_SPACE = re.compile(r"\s+")


def fingerprint(error: str) -> str:
    """Return 16 hexadecimal digits that errors of one kind share; "" for no error.

    ``error`` is its class and the first line of its message, as lists show it. Names in quotes, ids and numbers are
    left out, but for numbers of three digits, which are mostly statuses of HTTP.
    """
    if not error:
        return ""
    kind = _SPACE.sub(" ", _VARIABLE.sub("*", error)).strip()
    return hashlib.sha256(kind.encode("utf-8", "backslashreplace")).hexdigest()[:16]
