"""The page of the API's operations, from its OpenAPI description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_INTRODUCTION = """# Operations of the REST API

Written from [the OpenAPI description](openapi.yaml) by `manage.py describe_reference`. What they have in common
(tokens, scopes, pages of a list, errors, `ETag`, `Idempotency-Key`) is told in [REST API](api.md). A running hub shows
the same with examples, and lets you try it, at `/api/docs/`.
"""
#: Explained once, in the page about the API.
_IN_COMMON = frozenset({"cursor", "page_size", "Idempotency-Key", "If-Match", "If-None-Match"})
_METHODS = ("get", "post", "patch", "delete")

Schema = Mapping[str, Any]


def operations_page(description: Schema) -> str:
    """Return the page for an OpenAPI ``description``: by tag, each operation with what it takes and answers."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in description["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                tag = operation["tags"][0]
                by_tag.setdefault(tag, []).append(_operation(description, f"{method.upper()} {path}", operation))
    parts = [f"## {tag.replace('-', ' ').capitalize()}\n\n" + "\n".join(by_tag[tag]) for tag in sorted(by_tag)]
    return "\n".join([_INTRODUCTION, *parts])


def _operation(description: Schema, address: str, operation: Schema) -> str:
    lines = [f"### `{address}`", "", f"{operation['summary']}.", ""]
    if text := operation.get("description"):
        lines += [_line(text), ""]
    parameters = [each for each in operation.get("parameters", []) if each["name"] not in _IN_COMMON]
    if parameters:
        lines += ["| parameter | type | |", "|---|---|---|"]
        lines += [_row(each["name"], description, each["schema"], each.get("description", "")) for each in parameters]
        lines.append("")
    if fields := list(_body(description, operation)):
        lines += ["| field of the body | type | |", "|---|---|---|", *fields, ""]
    answers = [
        f"{status}: {_line(answer['description'])}"
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    lines += [*(f"- {answer}" for answer in answers), ""]
    return "\n".join(lines)


def _body(description: Schema, operation: Schema) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = _resolved(description, content.get("application/json", {}).get("schema", {}))
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        text = field.get("description", "")
        yield _row(
            name,
            description,
            field,
            f"required; {text}" if name in required and text else text or _must(name, required),
        )


def _must(name: str, required: set[str]) -> str:
    return "required" if name in required else ""


def _row(name: str, description: Schema, schema: Schema, text: str) -> str:
    return f"| `{name}` | {_type(description, schema)} | {_cell(text)} |"


def _type(description: Schema, schema: Schema) -> str:
    """Return the type in a few words: ``text``, ``one of `a`, `b` ``, ``list of ...``."""
    schema = _resolved(description, schema)
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"] if value not in ("", None))
    if "oneOf" in schema or "anyOf" in schema:
        found = [_type(description, each) for each in schema.get("oneOf") or schema["anyOf"]]
        return " or ".join(dict.fromkeys(each for each in found if each))
    kind = schema.get("type", "any JSON")
    kinds = [kind] if isinstance(kind, str) else [each for each in kind if each != "null"]
    if kinds == ["array"]:
        return f"list of {_type(description, schema.get('items', {}))}"
    return " or ".join(schema.get("format", each) if each == "string" else each for each in kinds).replace(
        "string", "text"
    )


def _resolved(description: Schema, schema: Schema) -> Schema:
    """Return ``schema`` with the component that it refers to, if it does, filled in."""
    whole = schema.get("allOf", [])
    reference = schema.get("$ref") or (whole[0].get("$ref") if len(whole) == 1 else None)
    if reference is None:
        return schema
    named: Schema = description["components"]["schemas"][reference.rpartition("/")[2]]
    own = {name: value for name, value in schema.items() if name not in {"$ref", "allOf"}}
    return _resolved(description, {**named, **own})


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")
