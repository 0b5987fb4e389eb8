"""What an outside system answered: for handlers, and as it is kept on the attempt."""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from integrations.connectors.headers import CREDENTIAL
from integrations.connectors.http import Reply
from integrations.errors import HubError
from integrations.masking import MASK

_KEPT_HEADERS = 50
_KEPT_HEADER_CHARACTERS = 300


class AnswerNotSuccessful(HubError):
    """An outside system answered with a ``status`` other than 2xx."""

    def __init__(self, status: int, who: str = "") -> None:
        redirect = "; redirects are not followed" if 300 <= status <= 399 else ""
        super().__init__(f"{who} answered {status}{redirect}".strip())
        self.status = status


class AnswerNotJson(HubError):
    """An answer that had to be JSON is none; the text says of which call, and nothing of the answer."""


@dataclass(frozen=True)
class Answer:
    """An answer to a call of a connection: ``content`` is the whole body, ``call`` says to what, without a secret."""

    status_code: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    call: str
    #: What the connection's own credentials look like in a text.
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code <= 299

    @property
    def text(self) -> str:
        """The body as text, by the charset of its content type; what does not fit is replaced."""
        # Only the content type: what the other side compressed unasked is not unpacked, however large it would be.
        kind = {"Content-Type": self.headers.get("Content-Type", "")}
        return httpx.Response(self.status_code, headers=kind, content=self.content).text

    def without_secrets(self) -> Answer:
        """Return the answer with the mask where the other side repeats one of the connection's credentials."""
        content = self.content
        for secret in self.secrets:
            content = content.replace(secret.encode(), MASK.encode())
        return replace(self, content=content)

    def raise_for_status(self) -> Answer:
        """Return the answer itself; raises `AnswerNotSuccessful` unless the status is 2xx."""
        if not self.is_success:
            raise AnswerNotSuccessful(self.status_code, f"{self.call}:")
        return self

    def json(self) -> Any:
        """Return the body's JSON value; raises `AnswerNotSuccessful` unless the status is 2xx, and `AnswerNotJson`."""
        self.raise_for_status()
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise AnswerNotJson(f"{self.call}: the answer is not JSON") from None


def summary(reply: Reply, *, kept_bytes: int | None = None, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return what is kept of an answer, as JSON: credentials masked, the body as text or, if it is none, base64.

    Of the body at most ``kept_bytes``, None for all of it; each of ``secrets`` is masked wherever it stands.
    """
    secrets = tuple(secrets)
    return {
        "status": reply.status,
        "headers": kept_headers(reply.headers.items(), secrets),
        **kept_body(reply.body, is_whole=reply.is_whole, kept_bytes=kept_bytes, secrets=secrets),
        "duration_ms": round(reply.seconds * 1000),
    }


def kept_headers(
    headers: Iterable[tuple[str, str]], secrets: Iterable[str], hidden: Collection[str] = ()
) -> dict[str, str]:
    """Return the first headers as they are kept: credentials masked, and those whose lower-case name is ``hidden``."""
    secrets = tuple(secrets)
    return {
        name[:200]: MASK if name.lower() in hidden else _shown(name, masked(value, secrets))
        for name, value in list(headers)[:_KEPT_HEADERS]
    }


def kept_body(content: bytes, *, is_whole: bool, kept_bytes: int | None, secrets: Iterable[str]) -> dict[str, Any]:
    """Return ``body``, ``body_encoding`` and ``body_is_whole``, as `summary` says."""
    secrets = tuple(secrets)
    text = _text(content, is_whole=is_whole)
    if text is None:
        # As base64 a credential could not be seen, nor masked.
        kept = b"" if any(secret.encode() in content for secret in secrets) else content[:kept_bytes]
        is_whole, body = is_whole and len(kept) == len(content), base64.b64encode(kept).decode("ascii")
    else:
        shown = masked(text, secrets)  # before it is cut: half of a credential would not be found
        body = shown if kept_bytes is None else shown[:kept_bytes]
        is_whole = is_whole and len(body) == len(shown)
    return {"body": body, "body_encoding": "base64" if text is None else "text", "body_is_whole": is_whole}


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with the mask in the place of each of ``secrets``."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _shown(name: str, value: str) -> str:
    if CREDENTIAL.search(name):
        return MASK
    if name.lower() in {"location", "content-location"}:
        value = value.partition("?")[0]
    return value[:_KEPT_HEADER_CHARACTERS].replace("\x00", "")


def _text(body: bytes, *, is_whole: bool) -> str | None:
    """Return the body as text, or None if it is none that a database keeps; a character cut in two is left out."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(body, final=is_whole)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text
