"""The JSON Schema of a configuration file, made from the API's serializers: for editors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from deliveries.configuration.kind import Kind
from deliveries.configuration.kinds import KINDS
from deliveries.configuration.reading import VERSION

#: The draft that the YAML language server knows best.
_DRAFT = "http://json-schema.org/draft-07/schema#"

_BOUNDS = {
    "min_value": "minimum",
    "max_value": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
}


def as_text(*, built_in: bool = False) -> str:
    """Return the schema as JSON text; ``built_in`` as in `document_schema`."""
    return json.dumps(document_schema(built_in=built_in), indent=1, ensure_ascii=False, default=dict) + "\n"


def document_schema(*, built_in: bool = False) -> dict[str, Any]:
    """Return the schema of this hub's files; with ``built_in``, without what other installed apps register."""
    lists = {kind.name: {"type": "array", "items": _item(kind, built_in=built_in)} for kind in KINDS}
    return {
        "$schema": _DRAFT,
        "title": "Configuration of an automation hub",
        "type": "object",
        "additionalProperties": False,
        "required": ["version"],
        "properties": {"version": {"const": VERSION, "description": "The form of this file."}, **lists},
    }


def _item(kind: Kind, *, built_in: bool) -> dict[str, Any]:
    fields = {
        name: field
        for name, field in kind.all_fields.items()
        if not field.read_only and (name in {*kind.identity, *kind.parts} or name in kind.fields())
    }
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": [*kind.identity, *(name for name in kind.always if fields[name].required)],
        "properties": {name: _field(kind, field) for name, field in fields.items()},
    }
    kind.refine(schema, built_in=built_in)
    return schema


def _field(kind: Kind, field: Any) -> dict[str, Any]:
    schema = _type(field, default := kind.default_of(field))
    for attribute, keyword in _BOUNDS.items():
        if (bound := getattr(field, attribute, None)) is not None:
            schema[keyword] = bound
    if field.allow_null and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    elif field.allow_null:
        schema = {"anyOf": [schema, {"type": "null"}]}
    if field.help_text:
        schema["description"] = str(field.help_text)
    if default is not empty and not isinstance(field, serializers.ListSerializer):
        schema["default"] = default
    return schema


def _type(field: Any, default: Any) -> dict[str, Any]:
    match field:
        case serializers.ListSerializer():
            return {"type": "array", "items": _nested(field.child)}
        case serializers.ManyRelatedField() | serializers.ListField():
            return {"type": "array", "items": {"type": "string"}}
        case serializers.ChoiceField():
            return {"enum": list(field.choices)}
        case serializers.BooleanField():
            return {"type": "boolean"}
        case serializers.IntegerField():
            return {"type": "integer"}
        case serializers.FloatField():
            return {"type": "number"}
        case serializers.JSONField():
            return {"type": "array", "items": {"type": "string"}} if default == [] else {"type": "object"}
        case _:
            return {"type": "string"}


def _nested(serializer: Any) -> dict[str, Any]:
    fields: Mapping[str, Any] = {name: field for name, field in serializer.fields.items() if not field.read_only}
    properties = {}
    for name, field in fields.items():
        schema = _type(field, empty)
        if field.help_text:
            schema["description"] = str(field.help_text)
        properties[name] = schema
    required = [name for name, field in fields.items() if field.required]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}
