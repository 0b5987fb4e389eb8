"""A flow as its config says: its steps, and which of the steps before each of them asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.handlers import Part, handlers
from integrations.retry import RetryPolicy
from integrations.routing import compiled
from integrations.values.language import names_below
from integrations.values.places import expressions_in

#: What the expressions of a step see, besides nothing: `integrations.values.scope_of`.
ROOTS = ("event", "payload", "steps")


@dataclass(frozen=True)
class Step:
    """One step: ``when`` is a JMESPath, "" always; ``retry`` None leaves retries to the route."""

    name: str
    handler: str
    config: Mapping[str, Any]
    when: str
    retry: RetryPolicy | None


@dataclass(frozen=True)
class Expression:
    """A JMESPath or a template (``is_template``) of a config, and its ``place`` there."""

    place: str
    text: str
    is_template: bool = False

    @property
    def roots(self) -> set[tuple[str, ...]]:
        """The names that it begins with where it looks something up: ``("steps", "lookup", "body")``."""
        if self.is_template:
            return {("steps", name) for name in names_below("steps", self.text)}
        return set(_roots(compiled(self.text).parsed)) if self.text else set()


def steps_of(config: Mapping[str, Any]) -> list[Step]:
    """Return the steps of a config that has been checked."""
    return [
        Step(
            item["name"],
            item["handler"],
            item.get("config", {}),
            item.get("when", ""),
            RetryPolicy.from_json(item["retry"]) if item.get("retry") else None,
        )
        for item in config["steps"]
    ]


def parts_of(config: Any) -> list[Part]:
    """Return the handlers that the steps run, of any config; a flow within the flow is left out, as it never runs."""
    listed = config.get("steps") if isinstance(config, Mapping) else None
    return [
        Part(f"steps/{number}/config", item["handler"], item.get("config", {}))
        for number, item in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(item, Mapping) and isinstance(item.get("handler"), str) and not _runs_others(item["handler"])
    ]


def _runs_others(handler: str) -> bool:
    entry = handlers.get(handler)
    return entry is not None and entry.parts is not None


def needs_of(step: Step) -> set[str]:
    """Return the names of the steps whose outputs ``step`` asks for, in its condition and in its config."""
    return {path[1] for each in _expressions(step) for path in each.roots if path[0] == "steps" and len(path) > 1}


def wrong_in(config: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a config that fits the schema, each with its place."""
    found: list[str] = []
    before: list[str] = []
    for number, step in enumerate(steps_of(config)):
        place = f"steps/{number}"
        if step.handler not in handlers:
            found.append(f"{place}/handler: there is no handler {step.handler!r}")
        if step.name in before:
            found.append(f"{place}/name: another step has the name {step.name}")
        found += [f"{place}/{text}" for text in _unknown(step, before)]
        before.append(step.name)
    return found


def _unknown(step: Step, before: Sequence[str]) -> Iterator[str]:
    """Yield what the expressions of ``step`` look for where there is nothing."""
    for each in _expressions(step):
        for path in sorted(each.roots):
            if path[0] not in ROOTS:
                yield f"{each.place}: there is no {path[0]} here; an expression of a step sees {', '.join(ROOTS)}"
            elif path[0] == "steps" and len(path) > 1 and path[1] not in before:
                known = f"those before are {', '.join(before)}" if before else "it is the first"
                yield f"{each.place}: there is no step {path[1]} before this one; {known}"


def _expressions(step: Step) -> Iterator[Expression]:
    yield Expression("when", step.when)
    entry = handlers.get(step.handler)
    if entry is not None:
        yield from _within(entry.config_schema, step.config, "config")


def _within(schema: Any, value: Any, place: str) -> Iterator[Expression]:
    """Yield the expressions in ``value``: the texts that ``schema`` gives one of the formats."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(value, str):
        if schema.get("format") == "path":
            yield from (Expression(place, text) for text in expressions_in(value))
        elif schema.get("format") in {"jmespath", "template"}:
            yield Expression(place, value, is_template=schema["format"] == "template")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _within(schema.get("items"), item, f"{place}/{number}")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            yield from _within(known, item, f"{place}/{name}")


#: The nodes whose first child sees what they see, and the others what comes out of it.
_CHAINS = {"index_expression", "projection", "value_projection", "filter_projection", "flatten", "pipe"}


def _roots(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the chains of names with which a parsed JMESPath begins, wherever it looks into the whole."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield (node["value"],)
    elif kind == "subexpression":
        first, *others = children
        for path in _roots(first):
            yield (*path, *_leading(others)) if first["type"] in {"field", "subexpression"} else path
    elif kind in _CHAINS:
        yield from _roots(children[0])
    elif kind != "expref":  # a list, an object, a comparison, a function: each child sees the whole
        for child in children:
            if isinstance(child, Mapping):
                yield from _roots(child)


def _leading(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if node["type"] == "index_expression" and node["children"][0]["type"] == "field":
            yield node["children"][0]["value"]
            return
        if node["type"] != "field":
            return
        yield node["value"]
