"""The JSON Schema of the configuration file."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft7Validator

from deliveries.configuration.kinds import KINDS
from deliveries.configuration.schema import as_text, document_schema
from deliveries.configuration.writing import PUBLISHED_SCHEMA
from integrations.api.serializers import EndpointSerializer, RouteSerializer
from tests.running_hub import ROOT

ENDPOINT = {"slug": "orders", "provider": "github"}
ROUTE = {"endpoint": "orders", "name": "a", "handler": "log"}


class TestTheSchema:
    def test_that_is_published_is_the_code_s(self) -> None:
        published = (ROOT / PUBLISHED_SCHEMA).read_text(encoding="utf-8")

        assert published == as_text(built_in=True), (
            "run `python manage.py export --output /dev/null --schema docs/reference/configuration.schema.json`"
        )

    def test_knows_every_field_that_the_api_writes(self) -> None:
        properties = document_schema()["properties"]
        for serializer, name in ((EndpointSerializer, "endpoints"), (RouteSerializer, "routes")):
            writable = {field.field_name for field in serializer().fields.values() if not field.read_only}
            assert set(properties[name]["items"]["properties"]) == writable
        assert set(properties) == {"version", *(kind.name for kind in KINDS)}

    def test_is_a_schema(self) -> None:
        Draft7Validator.check_schema(document_schema())

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"endpoints": [], "routes": []},
            {"endpoints": [ENDPOINT | {"rate_per_second": None, "secrets": [{"value": "env:HUB_SECRET_A"}]}]},
            {"endpoints": [{"slug": "m", "provider": "meta", "settings": {"verify_token": "file:meta"}}]},
            {"endpoints": [{"slug": "m", "provider": "generic_hmac", "settings": {"header": "X-A"}}]},
            {"routes": [ROUTE | {"retry": {"max_attempts": 2}, "events": ["a"]}]},
            {"routes": [ROUTE | {"handler": "crm.sync", "config": {"anything": 1}}]},
            {"routes": [ROUTE | {"handler": "http.forward", "config": {"url": "https://example.com/"}}]},
        ],
    )
    def test_takes_what_can_be_applied(self, document: dict[str, Any]) -> None:
        Draft7Validator(document_schema(built_in=True)).validate({"version": 1, **document})

    @pytest.mark.parametrize(
        "document",
        [
            {"version": 2},
            {"route": []},
            {"endpoints": [{"slug": "orders"}]},
            {"endpoints": [ENDPOINT | {"colour": "red"}]},
            {"endpoints": [ENDPOINT | {"priority": 10}]},
            {"endpoints": [ENDPOINT | {"state": "asleep"}]},
            {"endpoints": [ENDPOINT | {"secrets": [{"value": "a plain secret"}]}]},
            {"endpoints": [{"slug": "m", "provider": "meta", "settings": {"verify_token": "plain"}}]},
            {"endpoints": [{"slug": "m", "provider": "generic_hmac", "settings": {"haeder": "X-A"}}]},
            {"routes": [ROUTE | {"retry": {"max_attempts": 0}}]},
            {"routes": [ROUTE | {"handler": "http.forward", "config": {}}]},
            {"routes": [ROUTE | {"events": "push"}]},
        ],
    )
    def test_refuses_what_apply_refuses(self, document: dict[str, Any]) -> None:
        assert not Draft7Validator(document_schema(built_in=True)).is_valid({"version": 1, **document})

    def test_of_the_hub_knows_the_handlers_of_its_own_apps(self) -> None:
        assert '"test.note"' in as_text()
        assert '"test.note"' not in as_text(built_in=True)
