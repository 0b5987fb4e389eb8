"""What a configuration file has to look like."""

from __future__ import annotations

import pytest

from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.reading import MOST_BYTES, read

BOMB = b"version: 1\nroutes: []\na: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%s: &%s [%s]\n" % (new, new, b",".join([b"*" + old] * 9))
    for old, new in zip(b"abcdefgh", b"bcdefghi", strict=True)
    for old, new in [(bytes([old]), bytes([new]))]
)


class TestAFile:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (b"", "begin with `version: 1`"),
            (b"[]", "begin with `version: 1`"),
            (b"routes: []", "version: has to be 1"),
            (b"version: 2", "version: has to be 1"),
            (b"version: 1\nroute: []", "there is no 'route' here; known: version, "),
            (b"version: 1\nroutes:", "routes: has to be a list; [] means none"),
            (b"version: 1\nroutes: {}", "routes: has to be a list"),
            (b"version: 1\nroutes: [1]", "routes.0: has to be endpoint and name with their values"),
            (b"version: 1\nroutes: [{name: a}]", "routes.0: endpoint is missing"),
            (b"version: 1\nendpoints: [{slug: ''}]", "endpoints.0: slug is missing"),
            (b"version: 1\nendpoints: [{slug: a}, {slug: a}]", "endpoints.1: endpoint a is there twice"),
            (b"version: 1\nversion: 1", "duplicate key"),
            (b"version: 1\nroutes: [", "line 2: "),
            (b"version: 1\n\xff", "not YAML in UTF-8"),
            (b"version: 1\nroutes: !!python/object:os.system {}", "line 2: could not determine a constructor"),
            (b"version: 1\n1: 2", "has to be a text"),
            (b"version: 1\nroutes: [{name: a, endpoint: b, config: {x: .inf}}]", "an infinite number"),
            (b'version: 1\nroutes: [{name: a, endpoint: "b\\0"}]', "a NUL"),
            (b"version: 1\nroutes: &a [*a]", "too many values, or is nested too deeply"),
            (b"version: 1\nroutes: " + b"[" * 5000, "not YAML"),
            (BOMB, "too many values"),
            (b"#" * (MOST_BYTES + 1), "larger than"),
        ],
    )
    def test_that_is_none_is_refused_with_the_place(self, text: bytes, problem: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read(text)

        assert problem in str(caught.value)

    def test_keeps_words_and_dates_as_texts(self) -> None:
        text = b"version: 1\nroutes: [{endpoint: a, name: 2026-11-22, events: [on, no, 12:30:00]}]"

        assert list(read(text).values()) == [
            [{"endpoint": "a", "name": "2026-11-22", "events": ["on", "no", "12:30:00"]}]
        ]

    def test_may_use_anchors(self) -> None:
        text = b"version: 1\nroutes: [{endpoint: a, name: b, retry: &r {factor: 2}}, {endpoint: a, name: c, retry: *r}]"

        (items,) = read(text).values()

        assert items[1]["retry"] == {"factor": 2}

    def test_names_kinds_in_any_order_and_gets_them_in_the_order_of_making(self) -> None:
        assert [kind.name for kind in read(b"version: 1\nroutes: []\nendpoints: []")] == ["endpoints", "routes"]
