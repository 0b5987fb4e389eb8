"""The errors that every operation can answer with, as reusable parts of the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_JSON = "application/json"

#: The shape of all errors. Codes are texts and not an enumeration: a client has to live with one that it does not know.
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong, for a program and for a person.",
    "properties": {
        "error": {"type": "string", "description": "A short, stable code, such as `validation_error`."},
        "detail": {"type": "string", "description": "A sentence for people; it may change."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "The texts by field where single fields are wrong, else empty. Nested fields are named "
            "with dots (`secrets.0.value`), query parameters by their name.",
        },
    },
    "required": ["error", "detail", "fields"],
    "additionalProperties": False,
}

_REQUEST_ID = {
    "description": "The id of the request, taken over from it if it was sane; the hub's log lines carry it.",
    "schema": {"type": "string"},
}
_RETRY_AFTER = {"description": "Seconds to wait before the next try.", "schema": {"type": "integer", "minimum": 0}}


@dataclass(frozen=True)
class ErrorAnswer:
    """One status with the codes that it comes with, and an example of each: (detail, fields)."""

    name: str
    description: str
    examples: Mapping[str, tuple[str, Mapping[str, list[str]]]]
    headers: Mapping[str, Any] = field(default_factory=dict)

    def as_component(self) -> dict[str, Any]:
        """Return the OpenAPI response."""
        examples = {
            code: {"value": {"error": code, "detail": detail, "fields": dict(fields)}}
            for code, (detail, fields) in self.examples.items()
        }
        return {
            "description": self.description,
            "headers": {"X-Request-ID": _REQUEST_ID, **self.headers},
            "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}},
        }


ANSWERS: Mapping[int, ErrorAnswer] = {
    400: ErrorAnswer(
        "BadRequest",
        "A value, a field, a query parameter or a cursor is wrong, or the request cannot be read.",
        {
            "validation_error": ("slug: This field is required.", {"slug": ["This field is required."]}),
            "malformed_json": ("The body is not JSON: Expecting value at line 1, column 1.", {}),
            "bad_request": ("The request cannot be read.", {}),
            "invalid_idempotency_key": ("An Idempotency-Key is 1 to 255 visible ASCII characters.", {}),
        },
    ),
    401: ErrorAnswer(
        "Unauthorized",
        "No token; or it is wrong, expired, or its user is not active.",
        {
            "not_authenticated": ("Authentication credentials were not provided.", {}),
            "invalid_token": ("Invalid token.", {}),
        },
        {"WWW-Authenticate": {"description": "`Token`.", "schema": {"type": "string"}}},
    ),
    403: ErrorAnswer(
        "Forbidden",
        "The token's user may not do this.",
        {"permission_denied": ("You do not have permission to perform this action.", {})},
    ),
    404: ErrorAnswer("NotFound", "There is no such row.", {"not_found": ("Not found.", {})}),
    405: ErrorAnswer(
        "MethodNotAllowed",
        "The address is there and takes other methods only; `Allow` names them.",
        {"method_not_allowed": ('Method "PUT" not allowed.', {})},
        {"Allow": {"description": "The methods that the address takes.", "schema": {"type": "string"}}},
    ),
    406: ErrorAnswer(
        "NotAcceptable",
        "`Accept` leaves out `application/json`.",
        {"not_acceptable": ("Could not satisfy the request Accept header.", {})},
    ),
    409: ErrorAnswer(
        "Conflict",
        "It cannot be done in the state in which the thing is, or somebody else was faster.",
        {"conflict": ("The delivery is running; only succeeded, dead and discarded deliveries can be replayed.", {})},
    ),
    411: ErrorAnswer(
        "LengthRequired",
        "The body came in chunks, without a `Content-Length`.",
        {"length_required": ("The body needs a Content-Length.", {})},
    ),
    412: ErrorAnswer(
        "PreconditionFailed",
        "`If-Match` names another state than the present one.",
        {"precondition_failed": ("It has been changed since you read it; read it again.", {})},
    ),
    413: ErrorAnswer(
        "PayloadTooLarge",
        "The body is too large.",
        {"payload_too_large": ("The body is larger than 2621440 bytes.", {})},
    ),
    415: ErrorAnswer(
        "UnsupportedMediaType",
        "The body's type is not `application/json`.",
        {"unsupported_media_type": ('Unsupported media type "text/plain" in request.', {})},
    ),
    422: ErrorAnswer(
        "IdempotencyKeyReused",
        "The `Idempotency-Key` stands for another request.",
        {
            "idempotency_key_reused": (
                "This Idempotency-Key was used for another request within the last 24 hours.",
                {},
            )
        },
    ),
    429: ErrorAnswer(
        "RateLimited",
        "Too many requests; try again after `Retry-After`.",
        {"rate_limited": ("Request was throttled. Expected available in 3 seconds.", {})},
        {"Retry-After": _RETRY_AFTER},
    ),
    500: ErrorAnswer(
        "InternalError",
        "A fault of the hub; its log has the reason under the answer's `X-Request-ID`.",
        {"internal_error": ("The hub failed; its log has the reason under this answer's X-Request-ID.", {})},
    ),
    503: ErrorAnswer(
        "Unavailable",
        "The database is away; try again after `Retry-After`.",
        {"unavailable": ("The database cannot be reached; try again later.", {})},
        {"Retry-After": _RETRY_AFTER},
    ),
}

_ALWAYS = (400, 401, 403, 405, 406, 429, 500, 503)
_WITH_A_BODY = (409, 411, 413, 415)


def answers_for(method: str, path: str, *, tagged: bool) -> dict[str, dict[str, str]]:
    """Return references to the errors that ``method`` at ``path`` can answer with, by status.

    ``tagged``: it changes a row that carries an ``ETag``.
    """
    statuses = {*_ALWAYS, *((404,) if "{" in path else ()), *(_WITH_A_BODY if method in {"POST", "PATCH"} else ())}
    statuses |= {*((422,) if method == "POST" else ()), *((412,) if tagged else ())}
    return {str(status): {"$ref": f"#/components/responses/{ANSWERS[status].name}"} for status in sorted(statuses)}


def components() -> dict[str, dict[str, Any]]:
    """Return what `answers_for` refers to."""
    return {
        "schemas": {"Error": ERROR},
        "responses": {answer.name: answer.as_component() for answer in ANSWERS.values()},
    }
