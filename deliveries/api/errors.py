"""Every error of the API in one shape: ``{"error": code, "detail": text, "fields": {name: [texts]}}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from integrations.api.parsing import PayloadTooLarge

logger = structlog.get_logger(__name__)

#: DRF's codes where the contract has another word.
_CODES = {
    "invalid": "validation_error",
    "parse_error": "malformed_json",
    "authentication_failed": "invalid_token",
    "throttled": "rate_limited",
}
_RETRY_AFTER_SECONDS = 5


class Conflict(exceptions.APIException):
    """409: it cannot be done in the state in which the thing is."""

    status_code = 409
    default_code = "conflict"


class Unavailable(exceptions.APIException):
    """503: the database is away."""

    status_code = 503
    default_code = "unavailable"
    default_detail = "The database cannot be reached; try again later."


class InternalError(exceptions.APIException):
    """500: a fault of the hub; the log has it under the answer's X-Request-ID."""

    status_code = 500
    default_code = "internal_error"
    default_detail = "The hub failed; its log has the reason under this answer's X-Request-ID."


def as_contract(exc: Exception, context: Mapping[str, Any]) -> Response:  # noqa: ARG001 - DRF passes it
    """Return the answer to ``exc``; DRF's ``EXCEPTION_HANDLER``."""
    error = _as_api_exception(exc)
    set_rollback()
    return Response(as_body(error), status=error.status_code, headers=_headers(error))


def as_body(error: exceptions.APIException) -> dict[str, Any]:
    """Return the JSON of ``error``. Texts that concern no single field are in ``detail`` alone."""
    if isinstance(error, exceptions.ValidationError):
        code = error.default_code
        fields: dict[str, list[str]] = {}
        for name, text in _flat(error.detail):
            fields.setdefault(name, []).append(text)
        general = fields.pop("", [])
        detail = " ".join(general) or "; ".join(f"{name}: {texts[0]}" for name, texts in fields.items())
    else:
        codes = error.get_codes()
        code, fields, detail = str(codes), {}, str(error.detail)
    return {"error": _CODES.get(code, code), "detail": detail, "fields": fields}


def _as_api_exception(exc: Exception) -> exceptions.APIException:
    match exc:
        case exceptions.APIException():
            return exc
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return PayloadTooLarge()
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return exceptions.ParseError("The request cannot be read.", code="bad_request")
        case OperationalError() | InterfaceError():
            logger.error("api.database_unavailable", error_type=type(exc).__name__)
            return Unavailable()
        case _:
            logger.error("api.failed", exc_info=exc)
            return InternalError()


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if authenticate := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = authenticate
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(wait)
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return headers


def _flat(detail: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted place, text): ``{"secrets": [{"value": [...]}]}`` is at ``secrets.0.value``."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            general = name in {"non_field_errors", "__all__"}
            yield from _flat(inner, place if general else f"{place}.{name}".strip("."))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _flat(inner, f"{place}.{number}".strip(".") if nested else place)
    else:
        yield place, str(detail)
