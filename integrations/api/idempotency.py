"""``Idempotency-Key`` on POST, after draft-ietf-httpapi-idempotency-key-header: a request sent twice is done once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import APIException, ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from integrations.models import groups_of
from integrations.models.stored_answer import StoredAnswer

#: The key as the draft has it, a quoted text, or without the quotes.
_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
#: A larger answer is not kept.
MOST_CHARACTERS = 64 * 1024
_KEPT_HEADERS = ("ETag",)


class KeyReused(APIException):
    """422: the key stands for another request."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another request within the last 24 hours."


class AnswerLost(APIException):
    """409: the request was carried out, and nobody knows any more what it was answered."""

    status_code = 409
    default_code = "conflict"
    default_detail = "This request has been carried out already; its answer was not kept."


def key_of(request: Request) -> str | None:
    """Return the request's key, None without one; raises `ParseError` for one that cannot be."""
    text = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if text is None:
        return None
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise ParseError("An Idempotency-Key is 1 to 255 visible ASCII characters.", code="invalid_idempotency_key")
    return match[1] or match[2]


def once(handler: Callable[..., Response], request: Request, *args: Any, key: str, **kwargs: Any) -> Response:
    """Return the answer of ``handler``, or the stored one if the same request with the same key was answered before.

    The note of the key, what the request does and its answer are one transaction: whatever ends it half-way leaves
    none of them. A request that is refused does nothing, and is not kept. Raises `KeyReused` and `AnswerLost`.
    """
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        try:
            row, is_new = StoredAnswer.objects.begin(
                caller=_caller(request), key=key, fingerprint=fingerprint, now=timezone.now()
            )
        except StoredAnswer.DoesNotExist as exc:
            raise AnswerLost from exc
        if not is_new:
            return _again(row, fingerprint)
        answer = handler(request, *args, **kwargs)
        row.answer = _as_text(answer)
        row.save(update_fields=["answer"])
    return answer


def _again(row: StoredAnswer, fingerprint: str) -> Response:
    if row.fingerprint != fingerprint:
        raise KeyReused
    if not row.answer:
        raise AnswerLost
    kept = json.loads(row.answer)
    return Response(kept["data"], status=kept["status"], headers={**kept["headers"], "Idempotency-Replayed": "true"})


def _as_text(answer: Response) -> str:
    headers = {name: answer[name] for name in _KEPT_HEADERS if answer.has_header(name)}
    kept = {"status": answer.status_code, "headers": headers, "data": answer.data}
    text: str = JSONRenderer().render(kept).decode()
    return text if len(text) <= MOST_CHARACTERS else ""


def _caller(request: Request) -> str:
    return str(request.auth.pk) if request.auth is not None else f"user:{request.user.pk}"


def _fingerprint(request: Request) -> str:
    """Return what tells the request from others; the caller's groups belong to it, as the answer depends on them.

    It is keyed: a body may hold a secret, which a plain digest would let a reader of the database guess.
    """
    groups = groups_of(request.user)
    restricted = "all" if groups is None else ",".join(sorted(map(str, groups)))
    asked = f"{restricted}\n{request.path.rstrip('/')}?{request.META.get('QUERY_STRING', '')}\n".encode()
    return salted_hmac("idempotency", asked + request._request.body, algorithm="sha256").hexdigest()
