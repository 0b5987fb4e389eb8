"""How the API describes itself in OpenAPI: what all operations have in common, so that views say only their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance, is_patched_serializer
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework import serializers

from integrations.api.checked import StrictFields
from integrations.api.error_answers import answers_for, components
from integrations.api.views import UUID_REGEX

F = TypeVar("F", bound=Callable[..., Any])

_PREFIX = "/api/v1/"
_TAG = 'such as `"5f0c7d5a2f6e4b0d9d3c1f7a8b2e6c41"`'
_ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200, 201], description=f"The state of the configuration, {_TAG}."
)
_IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="Change it only if this is still its `ETag`, else 412."
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="Answer 304 if this is still its `ETag`."
)
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 257},
    OpenApiParameter.HEADER,
    description="Visible ASCII, quoted or not, such as a new UUID: the same request is done once within 24 hours.",
)
_IN_PATHS = {"name": "The group's name.", "id": "The hub's own id of the row.", "slug": "The endpoint's slug."}


class HubSchema(AutoSchema):
    """drf-spectacular's description of a view, with the rules that hold for every view of the hub.

    Errors are the same everywhere. Answers have all of their fields; orders and rows refuse fields that they do not
    have. ``Meta.shapes`` of a serializer says what is in fields that a model keeps as any JSON, or whose values are
    keys of a registry that every site may add to; ``Meta.may_be_absent`` names fields that an answer can lack.
    """

    def get_description(self) -> str:  # type: ignore[override] # DRF's own schemas have other arguments
        """Return "": docstrings are for who reads the code; `operation` has what its callers need."""
        return ""

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        tagged = self._tagged and self.method != "GET"
        found = {**answers_for(self.method, self.path, tagged=tagged), **super()._get_response_bodies(direction)}
        if self._tagged and self.method == "GET":
            found["304"] = {"description": "Nothing has been configured anew since the `ETag` in `If-None-Match`."}
        return {status: found[status] for status in sorted(found)}

    @property
    def _tagged(self) -> bool:
        """Whether the operation shows or changes one row that carries an ``ETag``."""
        one_row = getattr(self.view, "action", None) in {"retrieve", "partial_update", "destroy"}
        return one_row and getattr(self.view, "has_tags", False)

    def get_override_parameters(self) -> list[Any]:
        """Return the headers that every operation of its kind takes, and those of its answers."""
        if self.method == "POST":
            return [_IDEMPOTENCY_KEY, *([_ETAG] if self._makes_a_tagged_row else [])]
        if not self._tagged:
            return []
        return {"GET": [_IF_NONE_MATCH, _ETAG], "PATCH": [_IF_MATCH, _ETAG], "DELETE": [_IF_MATCH]}[self.method]

    @property
    def _makes_a_tagged_row(self) -> bool:
        return getattr(self.view, "has_tags", False) and getattr(self.view, "action", None) == "create"

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        shapes = getattr(getattr(field.parent, "Meta", None), "shapes", {})
        if field.field_name not in shapes:
            return super()._map_serializer_field(field, direction, bypass_extensions)
        shape = shapes[field.field_name]
        if direction == "response" and "properties" in shape:
            shape = {**shape, "required": sorted(shape["properties"])}
        meta = self._get_serializer_field_meta(field, direction)
        return {**shape, **{name: value for name, value in meta.items() if name != "nullable"}}

    def _map_response_type_hint(self, method: Any) -> Any:
        schema = super()._map_response_type_hint(method)
        if "description" in schema:
            schema["description"] = _for_readers(schema["description"])
        return schema

    def _resolve_path_parameters(self, variables: Any) -> Any:
        parameters = super()._resolve_path_parameters(variables)
        for parameter in parameters:
            if parameter["schema"].get("pattern") == f"^{UUID_REGEX}$":
                parameter["schema"] = {"type": "string", "format": "uuid"}
            parameter.setdefault("description", _IN_PATHS.get(parameter["name"], ""))
        return parameters

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)
        schema["description"] = _for_readers(schema.get("description", ""))
        instance = force_instance(serializer)
        if direction == "response":
            absent = getattr(getattr(instance, "Meta", None), "may_be_absent", ())
            schema["required"] = sorted(schema["properties"].keys() - absent)
        elif isinstance(instance, StrictFields):
            schema["additionalProperties"] = False
            if is_patched_serializer(instance, direction):
                for name in instance.fixed_fields:
                    schema["properties"].pop(name, None)
        return schema


def only_the_api(endpoints: Sequence[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Return those of ``endpoints`` that belong to the API: receiving and health are not described; a hook."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(_PREFIX)]


def with_errors(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Add the errors that operations refer to; a hook."""
    for kind, parts in components().items():
        result["components"].setdefault(kind, {}).update(parts)
    return result


def openapi() -> dict[str, Any]:
    """Return the whole schema, the same for everybody."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return schema


def operation(
    operation_id: str,
    summary: str,
    *,
    answers: Mapping[int, tuple[str, Any, Any]],
    description: str = "",
    request: tuple[type[serializers.BaseSerializer[Any]], Mapping[str, Any]] | None = None,
    **more: Any,
) -> Callable[[F], F]:
    """Return the decorator that describes an operation: its name for programs and for people, and its 2xx.

    ``answers`` has, by status, when it comes, the serializer (None: no body) and an example. ``request`` is the
    serializer of the body and examples by title. ``more`` goes to `extend_schema`.
    """
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description or None,
        request=_request(*request) if request else None,
        responses={status: _response(*answer) for status, answer in answers.items()},
        **more,
    )


def _for_readers(docstring: str) -> str:
    """Return the first paragraph of ``docstring`` as somebody reads it who does not see the code."""
    text = " ".join(docstring.split("\n\n", 1)[0].split()).removeprefix("Return ").replace("``", "`")
    return re.sub(r"\bNone\b", "null", text[:1].upper() + text[1:])


def _request(serializer: Any, examples: Mapping[str, Any]) -> OpenApiRequest:
    return OpenApiRequest(
        serializer,
        examples=[OpenApiExample(title, value=value, request_only=True) for title, value in examples.items()],
    )


def _response(description: str, serializer: Any, example: Any) -> OpenApiResponse:
    examples = [] if example is None else [OpenApiExample("Example", value=example, response_only=True)]
    return OpenApiResponse(serializer, description=description, examples=examples)
