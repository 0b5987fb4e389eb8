"""Request bodies of the API: strict JSON, bounded in size and depth, nothing in it that a database cannot keep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import BaseParser

#: Deeper nesting is refused: validating, comparing and rendering recurse.
MAX_DEPTH = 100


class PayloadTooLarge(APIException):
    """413: the body is larger than ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""

    status_code = 413
    default_code = "payload_too_large"

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")


class LengthRequired(APIException):
    """411: a body in chunks. Django reads none without a length, and an order without its values is another order."""

    status_code = 411
    default_code = "length_required"
    default_detail = "The body needs a Content-Length."


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it, in UTF-8.

    Raises `ParseError` for what is not JSON or is nested too deeply, `ValidationError`, which names the field, for NUL,
    lone surrogates and numbers that do not fit, and `PayloadTooLarge`.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body."""
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise PayloadTooLarge
        try:
            document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except json.JSONDecodeError as exc:
            raise ParseError(f"The body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.") from exc
        except RecursionError as exc:
            raise ParseError("The body is nested too deeply.") from exc
        except ValueError as exc:  # not UTF-8, NaN, or a number of thousands of digits
            raise ParseError("The body is not JSON.") from exc
        _check(document)
        return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check(document: Any) -> None:
    members = document.items() if isinstance(document, dict) else [("", document)]
    for name, value in members:
        problem = _problem(name) or _problem_within(value)
        if problem:
            raise ValidationError({ascii(name)[1:-1][:100]: [problem]} if name else [problem])


def _problem_within(value: Any) -> str | None:
    layer: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        problem = next((found for found in map(_problem, layer) if found), None)
        if problem or not layer:
            return problem
        layer = [child for item in layer for child in _children(item)]
    return f"Nested deeper than {MAX_DEPTH} levels." if layer else None


def _children(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else ()


def _problem(value: Any) -> str | None:
    if isinstance(value, str):
        if "\x00" in value:
            return "Null characters are not allowed."
        if any("\ud800" <= character <= "\udfff" for character in value):
            return "Lone surrogates are not allowed."
    if isinstance(value, float) and not math.isfinite(value):
        return "The number is too large."
    return None
