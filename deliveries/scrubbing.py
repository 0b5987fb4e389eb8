"""Take secrets and people out of a payload, to keep it beside code: the same value gets the same stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from deliveries.models.sealing import MASK, is_credential

_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"\+\d[\d ()./-]{6,}\d")
# What providers hand out as keys says so by how it begins; three parts of base64 are a JWT.
_SECRET = re.compile(
    r"\b(?:sk|rk|pk)_(?:live|test)_\w+|\bwhsec_[\w+/=]+|\bgh[oprsu]_\w{20,}|\bgithub_pat_\w+|\bglpat-[\w-]+"
    r"|\bxox[a-z]-[\w-]+|\bAKIA[A-Z0-9]{16}\b|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bBearer +\S+"
)
_IN_AN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=[?&])([^=&\s]+)=([^&#\s]+)")

_NAMES = re.compile(
    r"\A(?:name|(?:first|last|middle|full|given|family|sur|maiden|display|nick|real|user|customer|contact|holder|"
    r"cardholder|recipient|sender|author)[-_ ]?name|surname|nickname|login|author|pusher)\Z",
    re.IGNORECASE,
)
_PHONES = re.compile(r"phone|mobile|\Acell\Z|\A(?:tel|telephone|fax|msisdn|whatsapp|wa_id)\Z", re.IGNORECASE)
_EMAILS = re.compile(r"e[-_]?mail", re.IGNORECASE)
_PRIVATE = re.compile(
    r"\A(?:address(?:[-_]?(?:line)?[-_]?\d)?|line[12]|street.*|house[-_]?number|(?:post(?:al)?|zip)[-_]?(?:code)?|iban|bic|"
    r"(?:tax|vat)[-_]?(?:id|number)|ssn|passport.*|birth.*|dob|date[-_]?of[-_]?birth|ip|ip[-_]?address|client[-_]?ip|"
    r"latitude|longitude|lat|lng|lon)\Z",
    re.IGNORECASE,
)
#: Shorter ones stand by chance in other texts.
_KNOWN_AGAIN = 4


def scrubbed(payload: Any, *, keep: Collection[str] = ()) -> Any:
    """Return ``payload`` without what looks like a secret or a person, by a field's name or by the value itself.

    Below a field that is called as one of ``keep`` names are left, as those of products; secrets never are. What was
    found in one field is found again inside other texts.
    """
    scrubber = _Scrubber(frozenset(keep))
    return scrubber.again(scrubber.value(payload, ""))


class _Scrubber:
    def __init__(self, keep: frozenset[str]) -> None:
        self._keep = keep
        self._stand_ins: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def value(self, value: Any, name: str) -> Any:
        """Return ``value``, which stands in the field ``name``, scrubbed."""
        kind = self._kind(name)
        if isinstance(value, dict):
            inner = name if kind == "secret" else ""
            return {self._text(key): self.value(item, inner or key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        if value is None or isinstance(value, bool) or value in ("", MASK):
            return value
        if kind:
            stand_in = self._stand_in(kind, str(value))
            return stand_in if isinstance(value, str) else len(self._stand_ins)
        return self._text(value) if isinstance(value, str) else value

    def again(self, value: Any) -> Any:
        """Return ``value`` with what was found replaced inside every text."""
        found = sorted(((text, new) for (_, text), new in self._stand_ins.items()), key=lambda pair: -len(pair[0]))
        long = {text: new for text, new in found if len(text) >= _KNOWN_AGAIN}
        if not long:
            return value
        pattern = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in long))
        return _mapped(value, lambda text: pattern.sub(lambda match: long[match[0]], text))

    def _kind(self, name: str) -> str:
        if is_credential(name):
            return "secret"
        if name in self._keep:
            return ""
        kinds = (("email", _EMAILS), ("phone", _PHONES), ("name", _NAMES), ("private", _PRIVATE))
        return next((kind for kind, pattern in kinds if pattern.search(name)), "")

    def _text(self, text: str) -> str:
        text = _SECRET.sub(lambda match: self._stand_in("secret", match[0]), text)
        text = _IN_AN_ADDRESS.sub(self._of_an_address, text)
        text = _EMAIL.sub(lambda match: self._stand_in("email", match[0]), text)
        return _PHONE.sub(lambda match: self._stand_in("phone", match[0]), text)

    def _of_an_address(self, match: re.Match[str]) -> str:
        if match[1] is None:
            return self._stand_in("secret", match[0])
        return f"{match[1]}={self._stand_in('secret', match[2])}" if is_credential(match[1]) else match[0]

    def _stand_in(self, kind: str, text: str) -> str:
        if (kind, text) not in self._stand_ins:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            made = {
                "email": f"person{number}@example.com",
                "phone": f"+1555010{number:04d}",
                "name": f"Name {number}",
                "secret": f"scrubbed-secret-{number}",
                "private": f"scrubbed-{number}",
            }
            self._stand_ins[kind, text] = made[kind]
        return self._stand_ins[kind, text]


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): _mapped(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return value
