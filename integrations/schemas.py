"""JSON Schemas of settings and configs: are they kept, and if not, what to tell the operator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from jmespath.exceptions import JMESPathError
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError as Violation

from integrations.routing import compiled
from integrations.values import TemplateInvalid, check_template
from integrations.values.places import check_path

_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

_TEXTS: dict[str, Callable[[Any], str]] = {
    "type": lambda wanted: f"has to be {' or '.join(_TYPES.get(name, name) for name in _listed(wanted))}",
    "enum": lambda wanted: f"has to be one of {', '.join(map(str, wanted))}",
    "const": lambda wanted: f"has to be {wanted}",
    "minimum": lambda wanted: f"has to be at least {wanted}",
    "maximum": lambda wanted: f"has to be at most {wanted}",
    "exclusiveMinimum": lambda wanted: f"has to be more than {wanted}",
    "exclusiveMaximum": lambda wanted: f"has to be less than {wanted}",
    "minLength": lambda wanted: "cannot be empty" if wanted == 1 else f"has to have at least {wanted} characters",
    "maxLength": lambda wanted: f"can have at most {wanted} characters",
    "minItems": lambda wanted: "cannot be empty" if wanted == 1 else f"has to have at least {wanted} items",
    "maxItems": lambda wanted: f"can have at most {wanted} items",
    "uniqueItems": lambda _: "has an item twice",
}

_FORMAT_TEXTS = {"template": "is no template", "path": "what stands in braces is no JMESPath"}

#: The formats that are checked: what is a JMESPath or a template has to be one.
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("jmespath", raises=JMESPathError)
def _is_jmespath(value: object) -> bool:
    if isinstance(value, str) and value:
        compiled(value)
    return True


@_FORMATS.checks("template", raises=TemplateInvalid)
def _is_template(value: object) -> bool:
    if isinstance(value, str):
        check_template(value)
    return True


@_FORMATS.checks("path", raises=JMESPathError)
def _is_path(value: object) -> bool:
    if isinstance(value, str):
        check_path(value)
    return True


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def check_schema(value: Any, schema: Mapping[str, Any], *, field: str | None = None) -> None:
    """Raise `ValidationError` with every violation of the JSON Schema, each with the place where it stands.

    The texts do not quote what was entered: a password can be in it. Where a schema has a ``description``, a value of
    another form is told to be that.
    """
    if is_storable(value):
        messages = sorted(
            {
                _message(violation)
                for violation in Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(value)
            }
        )
    else:
        messages = ["This cannot be kept as JSON: an infinite number, a NUL in a text, or nested too deeply."]
    if messages:
        raise ValidationError({field: messages} if field else messages)


def needed(schema: Mapping[str, Any]) -> list[str]:
    """Return the properties that have to be filled in; of alternatives (``oneOf``), those of the first."""
    first: Mapping[str, Any] = next(iter(schema.get("oneOf", ())), {})
    return [*schema.get("required", ()), *first.get("required", ())]


def is_storable(value: Any) -> bool:
    """Return whether every database can keep ``value`` as JSON: PostgreSQL takes no NUL and no half of a character."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return _NUL.search(text) is None


def _listed(wanted: Any) -> list[str]:
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _message(violation: Violation) -> str:
    """Return the violation for an operator: ``headers/0: has to be a text``."""
    # Any: the library's types allow for a violation that is still being put together.
    keyword: Any = violation.validator
    wanted: Any = violation.validator_value
    value: Any = violation.instance
    schema: Any = violation.schema
    place = "/".join(map(str, violation.absolute_path))
    if keyword == "required":
        text = f"{', '.join(name for name in wanted if name not in value)} is missing"
    elif keyword == "additionalProperties" and wanted is False:
        known = sorted(schema.get("properties", {}))
        text = f"there is no {', '.join(str(name)[:50] for name in value if name not in known)} here"
        text += f"; known: {', '.join(known)}" if known else ""
    elif keyword == "format" and violation.cause is not None:
        text = f"{_FORMAT_TEXTS.get(wanted, 'is no JMESPath')}: {violation.cause}"
    elif keyword in _TEXTS:
        text = _TEXTS[keyword](wanted)
    else:
        text = f"has to be {schema.get('description', 'of another form')}"
    return f"{place}: {text}" if place else text
