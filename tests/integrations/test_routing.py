"""Which events a route takes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from jmespath.exceptions import JMESPathError
from structlog.testing import capture_logs

from integrations.routing import compiled, matches, search


class TestAGlob:
    @pytest.mark.parametrize(
        ("glob", "event_type", "fits"),
        [
            ("push", "push", True),
            ("push", "push.x", False),
            ("push", "Push", False),
            ("pull_request.*", "pull_request.opened", True),
            ("pull_request.*", "pull_request.review.opened", True),
            ("pull_request.*", "pull_request", False),
            ("*", "", True),
            ("*", "any\nthing", True),
            ("invoice.p???", "invoice.paid", True),
            ("items[0].*", "items[0].changed", True),
            ("items[0].*", "items0.changed", False),
            ("[!a]*", "b", False),
            ("[!a]*", "[!a]b", True),
            ("a.b", "axb", False),
            ("*" + "a*" * 50 + "b", "a" * 255, False),
        ],
    )
    def test_stands_for_types(self, glob: str, event_type: str, fits: bool) -> None:
        started = time.monotonic()
        assert matches([glob], "", event_type=event_type, payload=None) is fits
        assert time.monotonic() - started < 1

    def test_is_one_of_several_or_none_for_all(self) -> None:
        assert matches(["a", "b.*"], "", event_type="b.c", payload=None)
        assert not matches(["a", "b.*"], "", event_type="c", payload=None)
        assert matches([], "", event_type="c", payload=None)


class TestAFilter:
    @pytest.mark.parametrize(
        ("expression", "taken"),
        [
            ("", True),
            ("action", True),
            ("zero", True),
            ("missing", False),
            ("empty", False),
            ("nothing", False),
            ("no", False),
            ("none", False),
            ("action == 'opened'", True),
            ("action == 'opened' && count > `1`", True),
            ("items[?price > `5`]", True),
            ("items[?price > `50`]", False),
            ("contains(labels, 'bug')", True),
        ],
    )
    def test_takes_what_jmespath_calls_true(self, expression: str, taken: bool) -> None:
        payload = {
            "action": "opened",
            "count": 2,
            "zero": 0,
            "empty": "",
            "nothing": [],
            "no": False,
            "none": None,
            "items": [{"price": 10}],
            "labels": ["bug"],
        }
        assert matches([], expression, event_type="", payload=payload) is taken

    def test_applies_together_with_the_type(self) -> None:
        assert not matches(["a"], "x", event_type="b", payload={"x": 1})
        assert not matches(["a"], "x", event_type="a", payload={"x": None})

    @pytest.mark.parametrize("payload", [None, [], "text", 1, 1.5, True, {"a": {"b": 1}}, {"a": 10**400}])
    @pytest.mark.parametrize(
        "expression",
        [
            *("abs(a)", "sort(a)", "sum(a)", "a[0].b.c", "a[::0]", "max_by(a, &b)", "join(',', a)", "to_number(a)"),
            *("keys(a)", "avg(a)", "ceil(to_number('1e999'))", "a < 'x'", "merge(a, a)", "starts_with(a, 'b')"),
        ],
    )
    def test_never_raises_whatever_the_payload(self, expression: str, payload: Any) -> None:
        assert matches([], expression, event_type="", payload=payload) in {True, False}

    def test_is_stopped_on_a_payload_that_would_take_too_long(self) -> None:
        payload = [1] * 3_000_000
        started = time.thread_time()
        with capture_logs() as logs:
            assert not matches([], "[?@ == `1`]", event_type="", payload=payload)
        assert time.thread_time() - started < 2
        assert [(line["event"], line["log_level"]) for line in logs] == [("expression.stopped", "warning")]

    def test_may_take_thousands_of_items(self) -> None:
        payload = {"items": [{"price": number} for number in range(20_000)]}
        assert len(search("items[?price >= `10000`].price", payload)) == 10_000


class TestAnExpression:
    @pytest.mark.parametrize(
        "expression",
        [
            *("", "a..b", "a[", "abs(", "{a:", "a == ", "`{`", "'open", "a b", "&a &b", "\x00", "a" * 2001),
            *(
                "!a.b",
                "x && !a.b[0]",
                "(" * 900 + "a" + ")" * 900,
                "[@,@]|" * 6 + "@",
                "to_string(" * 6 + "@" + ")" * 6,
            ),
        ],
    )
    def test_is_refused_with_one_kind_of_error(self, expression: str) -> None:
        with pytest.raises(JMESPathError):
            compiled(expression)

    @pytest.mark.parametrize(
        "expression",
        [
            "{id: id, kind: type, first: items[0], rest: items[1:], total: sum(items[].price), who: [a.b, c.d]}",
            "[a, b] == ['x', 'y'] && ([c, d] == ['z', 'w'] || contains([e, f, g], 'h'))",
            "items[?price > `5` && to_string(id) == '7'].{a: a, b: b}",
        ],
    )
    def test_may_pick_several_things(self, expression: str) -> None:
        compiled(expression)
