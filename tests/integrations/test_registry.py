"""Registries: keys taken twice, loading once, from several threads."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from integrations.handlers import handler, handlers
from integrations.providers import providers
from integrations.registry import Registry


class TestARegistry:
    def test_finds_entries_by_key_in_alphabetical_order(self) -> None:
        registry: Registry[int] = Registry("number", lambda: None)
        registry.register("two")(2)
        registry.register("one")(1)

        assert list(registry) == ["one", "two"]
        assert (registry["one"], registry.get("two"), registry.get("three")) == (1, 2, None)
        assert "one" in registry
        assert "three" not in registry
        with pytest.raises(KeyError):
            registry["three"]

    def test_refuses_a_key_that_is_taken(self) -> None:
        registry: Registry[int] = Registry("number", lambda: None)
        registry.register("one")(1)
        with pytest.raises(ImproperlyConfigured, match="number 'one' is registered twice"):
            registry.register("one")(11)
        assert registry["one"] == 1

    def test_loads_once_on_first_use(self) -> None:
        loads: list[str] = []
        registry: Registry[int] = Registry("number", lambda: loads.append("load"))
        assert loads == []
        assert "one" not in registry
        registry.load()
        assert list(registry) == []
        assert loads == ["load"]

    def test_may_be_asked_by_what_it_loads(self) -> None:
        def load() -> None:
            registry.register("one")(1)
            assert "one" in registry
            registry.register("two")(registry["one"] + 1)

        registry: Registry[int] = Registry("number", load)
        assert list(registry) == ["one", "two"]

    def test_lets_other_threads_wait_until_all_is_loaded(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def load() -> None:
            registry.register("one")(1)
            begun.set()
            assert go_on.wait(5)
            registry.register("two")(2)

        registry: Registry[int] = Registry("number", load)
        found: list[list[str]] = []
        threads = [threading.Thread(target=lambda: found.append(list(registry))) for _ in range(4)]
        threads[0].start()
        assert begun.wait(5)
        for thread in threads[1:]:
            thread.start()
        threads[1].join(0.05)
        assert found == []
        go_on.set()
        for thread in threads:
            thread.join()
        assert found == [["one", "two"]] * 4

    def test_tries_again_after_a_load_that_failed(self) -> None:
        failures = [ImportError("not yet")]

        def load() -> None:
            if failures:
                raise failures.pop()
            registry.register("one")(1)

        registry: Registry[int] = Registry("number", load)
        with pytest.raises(ImportError):
            registry.load()
        assert list(registry) == ["one"]


class TestTheHubsOwnRegistries:
    def test_hold_the_built_in_handlers_and_providers(self) -> None:
        assert {"http.forward", "log"} <= set(handlers)
        assert {"generic_none", "internal"} <= set(providers)

    def test_refuse_a_handler_under_a_taken_key(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"handler 'http\.forward' is registered twice"):
            handler("http.forward")(lambda event, context: None)

    def test_describe_every_handler_by_its_docstring_and_schema(self) -> None:
        for key in ("http.forward", "log"):
            entry = handlers[key]
            assert entry.summary.endswith(".")
            assert entry.config_schema["additionalProperties"] is False
            assert all("description" in of for of in entry.config_schema["properties"].values())
