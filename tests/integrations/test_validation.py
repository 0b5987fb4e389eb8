"""What an operator may enter, and what is said of the rest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from integrations import validation
from integrations.retry import RETRY_SCHEMA, RetryPolicy
from integrations.schemas import check_schema, is_storable

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "uniqueItems": True, "maxItems": 2, "items": {"type": "string"}},
        "code": {"pattern": "^[A-Z]+$", "description": "capital letters"},
        "other": {"pattern": "^[A-Z]+$"},
    },
}


def messages(check: Callable[[], None]) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        check()
    return refusal.value.messages


class TestASchema:
    def test_takes_what_fits(self) -> None:
        check_schema({"name": "abc", "count": 1, "share": 0.5, "kind": "a", "tags": ["x"], "code": "AB"}, SCHEMA)

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ([], "has to be an object"),
            ({}, "name is missing"),
            ({"name": ""}, "name: cannot be empty"),
            ({"name": "toolong"}, "name: can have at most 5 characters"),
            ({"name": 5}, "name: has to be a text"),
            ({"name": "a", "count": 0}, "count: has to be at least 1"),
            ({"name": "a", "count": 10}, "count: has to be at most 9"),
            ({"name": "a", "count": True}, "count: has to be a whole number"),
            ({"name": "a", "share": 0}, "share: has to be more than 0"),
            ({"name": "a", "share": 1}, "share: has to be less than 1"),
            ({"name": "a", "kind": "c"}, "kind: has to be one of a, b"),
            ({"name": "a", "tags": ["x", "x"]}, "tags: has an item twice"),
            ({"name": "a", "tags": ["x", 1]}, "tags/1: has to be a text"),
            ({"name": "a", "tags": ["x", "y", "z"]}, "tags: can have at most 2 items"),
            ({"name": "a", "code": "s3cret"}, "code: has to be capital letters"),
            ({"name": "a", "other": "s3cret"}, "other: has to be of another form"),
            ({"name": "a", "nmae": 1}, "there is no nmae here; known: code, count, kind, name, other, share, tags"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, value: Any, said: str) -> None:
        assert messages(lambda: check_schema(value, SCHEMA)) == [said]

    def test_names_every_violation_once(self) -> None:
        said = messages(lambda: check_schema({"count": 0, "x": 1, "y": 2}, SCHEMA, field="config"))
        assert said == [
            "count: has to be at least 1",
            "name is missing",
            "there is no x, y here; known: code, count, kind, name, other, share, tags",
        ]

    def test_puts_the_messages_on_the_field(self) -> None:
        with pytest.raises(ValidationError) as refusal:
            check_schema({}, SCHEMA, field="config")
        assert refusal.value.message_dict == {"config": ["name is missing"]}

    @pytest.mark.parametrize(
        "value", [math.nan, {"a": [math.inf]}, {"a": "\x00"}, {"\x00": 1}, ["\\\x00"], "\ud800", {"a": {1, 2}}]
    )
    def test_refuses_what_a_database_cannot_keep(self, value: Any) -> None:
        assert not is_storable(value)
        assert messages(lambda: check_schema(value, {}))[0].startswith("This cannot be kept as JSON")

    def test_refuses_what_is_nested_too_deeply(self) -> None:
        nested: Any = []
        for _ in range(100_000):
            nested = [nested]
        assert not is_storable(nested)

    @pytest.mark.parametrize("value", [None, "", "\\u0000", "C:\\u0000", {"a": [1, 1.5, "\u00fc\U0001f600\n"]}])
    def test_takes_every_other_json(self, value: Any) -> None:
        assert is_storable(value)


@pytest.mark.parametrize(
    ("validate", "taken", "refused"),
    [
        (validation.validate_provider, ["generic_none"], ["", "nobody"]),
        (validation.validate_handler, ["log"], ["", "nothing.at_all"]),
        (
            validation.validate_networks,
            [[], ["192.0.2.0/24", "2001:db8::/32", "192.0.2.7"]],
            [
                None,
                "192.0.2.0/24",
                {},
                [1],
                ["192.0.2.0/33"],
                ["192.0.2.1/24"],
                ["example.com"],
                [""],
                [["192.0.2.0/24"]],
            ],
        ),
        (
            validation.validate_content_types,
            [[], ["application/json", "application/vnd.api+json", "text/plain"]],
            [
                None,
                "text/plain",
                ["json"],
                ["a/b/c"],
                ["Text/Plain"],
                [" text/plain"],
                ["text/plain; charset=x"],
                ["/"],
            ],
        ),
        (
            validation.validate_event_globs,
            [[], ["push", "pull_request.*", "Order Paid", "*"]],
            [None, "push", [""], [" "], ["push "], [1], ["a\x00"], ["a" * 256]],
        ),
        (validation.validate_jmespath, ["a.b", "items[?x > `1`]"], ["", "a..b", "foo(", "a" * 2001]),
        (validation.validate_dedupe, ["id", "body", "data.id"], ["", "a..b"]),
        (
            validation.validate_retry,
            [
                {},
                validation.default_retry(),
                {"max_attempts": 100, "initial_seconds": 0.1, "factor": 1, "jitter": False},
            ],
            [
                *(None, [], {"max_attempts": 0}, {"max_attempts": 101}, {"max_attempts": True}, {"max_attempts": 1.5}),
                *({"factor": 0.5}, {"initial_seconds": 0}, {"max_seconds": math.nan}, {"max_seconds": 10**9}),
                *({"jitter": 1}, {"unknown": 1}),
            ],
        ),
    ],
    ids=lambda of: of.__name__ if callable(of) else "",
)
class TestAValidator:
    def test_takes_and_refuses(self, validate: Callable[[Any], None], taken: list[Any], refused: list[Any]) -> None:
        for value in taken:
            validate(value)
        for value in refused:
            with pytest.raises(ValidationError) as refusal:
                validate(value)
            for message in refusal.value.messages:
                assert message
                assert len(message) < 300 or len(str(value)) > 300


class TestAMessage:
    def test_helps_with_a_network_that_has_host_bits(self) -> None:
        assert messages(lambda: validation.validate_networks(["192.0.2.1/24"])) == [
            "'192.0.2.1/24' is an address within the network 192.0.2.0/24; name one of the two."
        ]

    def test_says_where_a_jmespath_goes_wrong(self) -> None:
        [said] = messages(lambda: validation.validate_jmespath("a.b[?c = 'd']"))
        assert said.startswith("Not a JMESPath expression: ")
        assert "^" in said

    def test_names_the_field_of_settings_and_config(self) -> None:
        for check, field in (
            (lambda: validation.validate_handler_config("log", {"x": 1}), "config"),
            (lambda: validation.validate_provider_settings("generic_none", {"no_such_setting": 1}), "settings"),
            (lambda: validation.validate_provider_settings("generic_none", []), "settings"),
        ):
            with pytest.raises(ValidationError) as refusal:
                check()
            assert list(refusal.value.message_dict) == [field]

    @pytest.mark.parametrize("place", ["header:X-Webhook-Token", "header:X-Id|x-webhook-token", "header:Authorization"])
    def test_refuses_the_proof_as_an_events_id_or_type(self, place: str) -> None:
        for name in ("event_id", "event_type"):
            with pytest.raises(ValidationError, match="is where the proof stands"):
                validation.validate_provider_settings("generic_token", {name: place})
        validation.validate_provider_settings("generic_token", {"event_id": "header:X-Event-Id"})

    def test_is_left_to_the_other_field_if_handler_or_provider_are_unknown(self) -> None:
        validation.validate_handler_config("nothing.at_all", {"x": 1})
        validation.validate_provider_settings("nobody", {"x": 1})


class TestTheDefaultRetry:
    def test_is_the_policy_that_the_runner_falls_back_to(self) -> None:
        assert RetryPolicy.from_json(validation.default_retry()) == RetryPolicy()


class TestTheRetryReference:
    def test_has_every_part_of_a_policy_with_its_default(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "reference" / "retries.md").read_text(encoding="utf-8")
        rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", page, re.MULTILINE))

        assert rows == {name: json.dumps(value) for name, value in RetryPolicy().as_json().items()}
        assert set(rows) == set(RETRY_SCHEMA["properties"])
