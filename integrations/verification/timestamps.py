"""The moment that a signature covers: where it stands, how it is written, how old it may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Literal

from integrations.contracts import InboundRequest
from integrations.verification.bodies import body_value, check_path
from integrations.verification.reasons import Reason, unproven
from integrations.verification.texts import first_header

Unit = Literal["s", "ms", "iso8601"]

# int() takes signs, underscores and other scripts' digits, float() takes nan: neither may read a stranger's text.
_DIGITS = {"s": re.compile(r"[0-9]{1,10}"), "ms": re.compile(r"[0-9]{1,13}")}
_ISO8601 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Timestamp:
    """Where the signed moment stands and how far it may be from the request's arrival.

    It is in the first of ``headers`` that is there, in ``field`` of the signature header's list, or at ``path`` in the
    body. ``tolerance_seconds`` None judges nothing. ``future`` False lets any time in the future pass, as some official
    libraries do; otherwise it may be ahead by ``future_seconds`` (None: the tolerance), no more.
    """

    headers: tuple[str, ...] = ()
    field: str = ""
    path: str = ""
    unit: Unit = "s"
    tolerance_seconds: int | None = 300
    future: bool = True
    future_seconds: int | None = None

    def __post_init__(self) -> None:
        if self.path:
            check_path(self.path)

    @property
    def place(self) -> str:
        """The header, the list's field or the place in the body, for operators."""
        return self.headers[0] if self.headers else self.field or self.path

    def text(self, request: InboundRequest, fields: dict[str, str]) -> str:
        """Return the timestamp exactly as it was sent; raises `VerificationFailed` if it is not there."""
        if self.path:
            found = body_value(request, self.path)
        else:
            found = first_header(request, self.headers) if self.headers else fields.get(self.field, "")
        if not found:
            raise unproven(Reason.TIMESTAMP_MISSING, place=self.place)
        return found

    def read(self, text: str) -> datetime:
        """Return the moment that ``text`` names; raises `VerificationFailed` if it is not written as expected."""
        moment = _iso8601(text) if self.unit == "iso8601" else _number(text, self.unit)
        if moment is None:
            raise unproven(Reason.TIMESTAMP_UNREADABLE, place=self.place, expected=self.unit)
        return moment

    def judge(self, moment: datetime, arrival: datetime) -> None:
        """Raise `VerificationFailed` if ``moment`` is too far from ``arrival``."""
        if self.tolerance_seconds is None:
            return
        over = (arrival - moment).total_seconds()
        if over > self.tolerance_seconds:
            late = ceil(over - self.tolerance_seconds)
            raise unproven(Reason.TIMESTAMP_STALE, stale_by_seconds=late, tolerance_seconds=self.tolerance_seconds)
        ahead = self.tolerance_seconds if self.future_seconds is None else self.future_seconds
        if self.future and -over > ahead:
            early = ceil(-over - ahead)
            raise unproven(Reason.TIMESTAMP_IN_FUTURE, ahead_by_seconds=early, tolerance_seconds=ahead)

    def write(self, moment: datetime) -> str:
        """Return ``moment`` as the provider writes it."""
        if self.unit == "iso8601":
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return str((moment - _EPOCH) // timedelta(**{"seconds" if self.unit == "s" else "milliseconds": 1}))


def _number(text: str, unit: str) -> datetime | None:
    if not _DIGITS[unit].fullmatch(text):
        return None
    return _EPOCH + timedelta(seconds=int(text)) if unit == "s" else _EPOCH + timedelta(milliseconds=int(text))


def _iso8601(text: str) -> datetime | None:
    match = _ISO8601.fullmatch(text)
    if match is None:
        return None
    seconds, fraction, zone = match.groups()
    # Nanoseconds (Twitch) are more than datetime can hold.
    spelled = f"{seconds}.{(fraction or '0')[:6].ljust(6, '0')}{zone.replace('Z', '+00:00')}"
    try:
        return datetime.fromisoformat(spelled)
    except ValueError:  # the 13th month
        return None
