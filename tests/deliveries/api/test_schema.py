"""What the API says of itself is complete, true and announced."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import call_command

from integrations.api.error_answers import ANSWERS
from integrations.api.schema import openapi
from tests.deliveries.api.cases import API
from tests.running_hub import ROOT

CHECKED_IN = ROOT / "docs" / "reference" / "openapi.yaml"
REFERENCE = ROOT / "docs" / "reference" / "api.md"
BODIES = ("post", "patch")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return openapi()


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return ``schema`` with every object closed: a field that it does not name is an error."""
    closed = deepcopy(schema)
    for component in closed["components"]["schemas"].values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    return closed


def problems(schema: dict[str, Any], part: dict[str, Any], value: Any) -> list[str]:
    whole = {**part, "components": strict(schema)["components"]}
    checker = jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())
    return [error.message for error in checker.iter_errors(value)]


def examples(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield (where, schema, value) of each example of a body or a 2xx."""
    places = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for where, place in places.items():
        for media in place.get("content", {}).values():
            for example in media.get("examples", {}).values():
                yield where, media["schema"], example["value"]


class TestTheSchema:
    def test_is_made_without_a_warning_and_is_valid(self, tmp_path) -> None:
        target = tmp_path / "openapi.yaml"

        call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(target), stdout=io.StringIO())

        assert target.stat().st_size > 10_000

    def test_is_the_one_that_is_checked_in(self, schema) -> None:
        assert yaml.safe_load(CHECKED_IN.read_text(encoding="utf-8")) == yaml.safe_load(yaml.safe_dump(schema)), (
            "The API has changed: run `make openapi`, and announce it (docs/how-to/change-the-api.md)."
        )

    def test_describes_the_api_and_nothing_else(self, schema) -> None:
        assert len(schema["paths"]) > 20
        assert [path for path in schema["paths"] if not path.startswith(f"{API}/") or not path.endswith("/")] == []

    def test_has_the_addresses_of_the_reference_and_no_others(self, schema) -> None:
        written = set(addresses(REFERENCE.read_text(encoding="utf-8")))

        described = {(method, re.sub(r"{\w+}", "{}", path)) for method, path, _ in operations(schema)}
        assert described == written


class TestEveryOperation:
    def test_has_a_name_for_programs_of_its_own(self, schema) -> None:
        names = [operation["operationId"] for _, _, operation in operations(schema)]

        assert len(set(names)) == len(names)
        assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
        # drf-spectacular's own names end so; what is described here says what it does.
        assert [name for name in names if re.search(r"_(list|create|retrieve|partial_update|destroy)$", name)] == []

    def test_says_in_a_line_what_it_does_and_belongs_to_a_resource(self, schema) -> None:
        tags = {tag["name"] for tag in schema["tags"]}

        for _, path, operation in operations(schema):
            assert 8 < len(operation["summary"]) < 80, path
            assert set(operation["tags"]) <= tags, path

    def test_says_what_its_parameters_are(self, schema) -> None:
        named = [
            (operation["operationId"], parameter["name"], parameter.get("description"))
            for _, _, operation in operations(schema)
            for parameter in operation.get("parameters", [])
        ]

        assert len(named) > 40
        assert [parameter for parameter in named if not parameter[2]] == []

    def test_needs_a_token(self, schema) -> None:
        assert schema["components"]["securitySchemes"]["token"]["name"] == "Authorization"
        assert [path for _, path, operation in operations(schema) if operation["security"] != [{"token": []}]] == []

    def test_has_the_errors_that_it_can_answer_with(self, schema) -> None:
        for method, path, operation in operations(schema):
            always = {"400", "401", "403", "405", "406", "429", "500", "503"}
            expected = always | ({"404"} if "{" in path else set())
            expected |= {"409", "411", "413", "415"} if method in BODIES else set()
            errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            assert expected <= set(errors), path
            for status, answer in errors.items():
                assert answer == {"$ref": f"#/components/responses/{ANSWERS[int(status)].name}"}

    def test_has_an_example_of_what_it_takes_and_of_what_it_answers(self, schema) -> None:
        for method, path, operation in operations(schema):
            found = {where for where, _, _ in examples(operation)}
            with_json = {
                status
                for status, answer in operation["responses"].items()
                if status < "300" and "application/json" in answer.get("content", {})
            }
            assert with_json | ({"request"} if method in BODIES else set()) <= found, path
            assert any(status < "300" for status in operation["responses"]), path

    def test_has_examples_that_are_as_the_schema_says(self, schema) -> None:
        checked = 0
        for _, path, operation in operations(schema):
            for where, part, value in examples(operation):
                assert problems(schema, part, value) == [], (path, where)
                checked += 1
        assert checked > 40

    def test_says_how_its_list_goes_on(self, schema) -> None:
        lists = [operation for _, _, operation in operations(schema) if operation["operationId"].startswith("list_")]

        assert len(lists) >= 7
        for operation in lists:
            name = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            page = schema["components"]["schemas"][name]
            assert set(page["required"]) == {"next", "previous", "results"}


class TestEveryError:
    def test_has_one_shape(self, schema) -> None:
        assert set(schema["components"]["schemas"]["Error"]["required"]) == {"error", "detail", "fields"}
        for name, answer in schema["components"]["responses"].items():
            media = answer["content"]["application/json"]
            assert media["schema"] == {"$ref": "#/components/schemas/Error"}
            for code, example in media["examples"].items():
                assert example["value"]["error"] == code
                assert problems(schema, media["schema"], example["value"]) == [], name

    def test_is_in_the_reference(self) -> None:
        page = REFERENCE.read_text(encoding="utf-8")
        rows = re.findall(r"^\| (\d{3}) \| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
        written = {(int(status), code) for status, codes in rows for code in re.findall(r"\w+", codes)}

        assert written == {(status, code) for status, answer in ANSWERS.items() for code in answer.examples}


class TestAnUnknownField:
    def test_is_an_error_of_the_schema_too(self, schema) -> None:
        for name in (
            "EndpointRequest",
            "PatchedEndpointRequest",
            "RouteRequest",
            "ReplayOrderRequest",
            "SecretRequest",
        ):
            assert schema["components"]["schemas"][name]["additionalProperties"] is False

    def test_is_one_that_cannot_be_changed(self, schema) -> None:
        parts = schema["components"]["schemas"]

        assert "secrets" in parts["EndpointRequest"]["properties"]
        assert "secrets" not in parts["PatchedEndpointRequest"]["properties"]
        assert "endpoint" not in parts["PatchedRouteRequest"]["properties"]


def addresses(page: str) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of what the tables of the reference name, and of what its text says of the catalogue."""
    cells = re.findall(r"^\| (`(?:GET|POST|PATCH|DELETE).*?) \|", page, re.MULTILINE)
    cells += re.findall(r"(`GET /(?:providers|handlers)/`)", page)
    for cell in cells:
        methods: list[str] = []
        path = ""
        for token in re.findall(r"`([^`]+)`", cell):
            if token.startswith("/"):  # the last part of the address before
                path = f"{path.rsplit('/', 2)[0]}{token}"
            else:
                *named, last = token.split(" ")
                methods = [*methods, *(named or [last])]
                if not last.startswith("/"):
                    continue
                path = last
            if path.startswith("/health"):
                continue
            for method in methods:
                yield method.lower(), API + re.sub(r"{\w+}", "{}", path)


class TestHeaders:
    def named(self, operation: dict[str, Any]) -> set[str]:
        return {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "header"}

    def test_say_that_every_post_can_be_done_once(self, schema) -> None:
        with_key = {path for _, path, operation in operations(schema) if "Idempotency-Key" in self.named(operation)}

        assert with_key == {path for method, path, _ in operations(schema) if method == "post"}
        assert all("422" in schema["paths"][path]["post"]["responses"] for path in with_key)

    @pytest.mark.parametrize("path", ["endpoints/{slug}", "routes/{id}", "endpoint-groups/{name}", "backfills/{id}"])
    def test_say_how_two_changes_do_not_get_in_each_others_way(self, schema, path) -> None:
        row = schema["paths"][f"{API}/{path}/"]

        assert {method: self.named(operation) for method, operation in row.items()} == {
            "get": {"If-None-Match"},
            "patch": {"If-Match"},
            "delete": {"If-Match"},
        }
        assert "304" in row["get"]["responses"]
        assert "412" in row["patch"]["responses"]
        assert "412" in row["delete"]["responses"]
        assert "ETag" in row["get"]["responses"]["200"]["headers"]
        assert "ETag" in row["patch"]["responses"]["200"]["headers"]
