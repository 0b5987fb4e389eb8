"""Whether requests and answers are as a provider's OpenAPI description says; see the YAML files beside this module."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from ruamel.yaml import YAML

_FOLDER = Path(__file__).parent
_DEEP = re.compile(r"(\w+)\[(\w+)\]")


class Description:
    """One provider's description."""

    def __init__(self, provider: str) -> None:
        found = YAML(typ="safe").load((_FOLDER / f"{provider}.yaml").read_text(encoding="utf-8"))
        self._document: dict[str, Any] = _json_schema(found)

    def problems(self, path: str, params: Mapping[str, str], *, status: int, answer: Any) -> list[str]:
        """Return what in a GET and its answer is not as described; an answer that is no 2xx is not looked at."""
        operation = self._operation(path)
        if operation is None:
            return [f"{path}: there is no such operation"]
        found = [f"{path}: {text}" for text in self._of_request(operation, params)]
        if status == 200:
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            found += [f"{path}: answer: {text}" for text in self._errors(schema, answer)]
        return found

    def _operation(self, path: str) -> dict[str, Any] | None:
        for template, methods in self._document["paths"].items():
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
                operation: dict[str, Any] = methods["get"]
                return operation
        return None

    def _of_request(self, operation: dict[str, Any], params: Mapping[str, str]) -> Iterator[str]:
        described = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}
        for name, value in _assembled(params).items():
            if name not in described:
                yield f"{name}: there is no such parameter"
            else:
                yield from (f"{name}: {text}" for text in self._errors(described[name], value))

    def _errors(self, schema: dict[str, Any], value: Any) -> list[str]:
        whole = {**schema, "components": self._document["components"]}
        checker = Draft202012Validator(whole, format_checker=FormatChecker())
        return [f"{error.json_path} {error.message}" for error in checker.iter_errors(value)]


@cache
def description(provider: str) -> Description:
    """Return the description of ``provider``."""
    return Description(provider)


def _assembled(params: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters with ``name[key]`` as objects, ``name[0]`` as lists, and whole numbers as numbers."""
    found: dict[str, Any] = {}
    for name, text in params.items():
        value = int(text) if text.isdecimal() else text
        if parts := _DEEP.fullmatch(name):
            found.setdefault(parts[1], {})[parts[2]] = value
        else:
            found[name] = value
    return {name: _as_list(value) for name, value in found.items()}


def _as_list(value: Any) -> Any:
    is_list = isinstance(value, dict) and all(key.isdecimal() for key in value)
    return [value[key] for key in sorted(value, key=int)] if is_list else value


def _json_schema(value: Any) -> Any:
    """Return an OpenAPI 3.0 document with ``nullable`` as JSON Schema says it."""
    if isinstance(value, list):
        return [_json_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _json_schema(item) for name, item in value.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if value.get("nullable") is True else plain
