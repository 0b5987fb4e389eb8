"""The raw body: as many bytes as the endpoint takes, in the time that the hub waits, and nothing parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from deliveries.receiving.deadlines import ReadingDeadline, reading_deadlines
from deliveries.receiving.refusals import BadBody, Disconnected, PayloadTooLarge

if TYPE_CHECKING:
    from deliveries.receiving.view import ReceiveView

_STEP_BYTES = 256 * 1024
_MOST_BYTES = 2**63 - 1


class RawBodyParser(BaseParser):
    """Reads the body as it came. The view calls it itself: DRF's own ``request.data`` sees no chunked body."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Return the body, as bytes, of the request ``stream``; the limit is that of the view's endpoint.

        Raises `PayloadTooLarge`, `BadBody` or `Disconnected`.
        """
        view: ReceiveView = (parser_context or {})["view"]
        return read_body(stream.META, limit=view.endpoint.row.max_body_bytes)


def announced_bytes(environ: Mapping[str, Any]) -> int | None:
    """Return the announced length of the body; None if there is none (chunks). Raises `BadBody` for nonsense."""
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BadBody("length_invalid")
    return min(int(text), _MOST_BYTES) if len(text) < 20 else _MOST_BYTES


def refuse_announced(environ: Mapping[str, Any], *, limit: int) -> None:
    """Raise `PayloadTooLarge` if a body over ``limit`` is announced; nothing is read."""
    _refuse(announced_bytes(environ), limit=limit)


def _refuse(announced: int | None, *, limit: int) -> None:
    if announced is not None and announced > limit:
        raise PayloadTooLarge("announced_too_large", body_bytes=announced, limit=limit)


def read_body(environ: Mapping[str, Any], *, limit: int) -> bytes:
    """Return the body, whole; of one over ``limit`` no more is read than shows that it is.

    Without an announced length it is read to its end only where the server says that there is one
    (``wsgi.input_terminated``); Django itself would read nothing then.
    """
    announced = announced_bytes(environ)
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b""
    _refuse(announced, limit=limit)
    with reading_deadlines.over(environ.get("gunicorn.socket"), settings.HUB_BODY_SECONDS) as deadline:
        body = _read(environ["wsgi.input"], limit + 1 if announced is None else announced, deadline)
    if len(body) > limit:
        raise PayloadTooLarge("too_large", body_bytes=len(body), limit=limit)
    if announced is not None and len(body) < announced:
        raise Disconnected("disconnected")
    return body


def _read(stream: IO[bytes], wanted: int, deadline: ReadingDeadline) -> bytes:
    """Return up to ``wanted`` bytes; fewer only at the stream's end."""
    parts: list[bytes] = []
    while wanted > 0:
        try:
            part = stream.read(min(_STEP_BYTES, wanted))
        except Exception as exc:  # each server has errors of its own for a lost connection and for bad chunks
            raise (_too_slow() if deadline.is_over else Disconnected("disconnected")) from exc
        if deadline.is_over:
            raise _too_slow()
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def _too_slow() -> BadBody:
    return BadBody("body_too_slow", {"seconds_allowed": settings.HUB_BODY_SECONDS})
