"""Read a configuration file: YAML 1.2, checked for its form. What the values mean is the kinds' part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import Item, Kind
from deliveries.configuration.kinds import KINDS
from integrations.schemas import is_storable

#: The form of the file. A later one that means something else has the next number.
VERSION = 1
#: Larger files are not read.
MOST_BYTES = 5 * 1024 * 1024
#: Values after the file's aliases are followed: a small file with nested aliases can stand for billions.
_MOST_VALUES = 200_000
_DEEPEST = 100

Document = dict[Kind, list[Item]]


class _Constructor(SafeConstructor):
    """Leaves dates as texts: 2026-11-22 is a label as often as a day, and the fields know which."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def read(text: bytes) -> Document:
    """Return the items by kind, for the kinds that the file names; raises `ConfigurationError`."""
    content = _content(text)
    kinds = {kind.name: kind for kind in KINDS}
    problems = [
        f"there is no {name!r} here; known: version, {', '.join(kinds)}"
        for name in content
        if name not in kinds and name != "version"
    ]
    if content.get("version") != VERSION:
        problems.append(f"version: has to be {VERSION}")
    named = [kind for kind in KINDS if kind.name in content]
    for kind in named:
        problems += _problems(kind, content[kind.name])
    if problems:
        raise ConfigurationError(problems)
    return {kind: content[kind.name] for kind in named}


def _content(text: bytes) -> dict[str, Any]:
    if len(text) > MOST_BYTES:
        raise ConfigurationError([f"the file is larger than {MOST_BYTES} bytes"])
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        content = yaml.load(text.decode("utf-8"))
        _check_size(content)
    except MarkedYAMLError as exc:
        place = f"line {exc.problem_mark.line + 1}: " if exc.problem_mark else ""
        raise ConfigurationError([f"{place}{exc.problem or 'this is not YAML'}"]) from None
    except (YAMLError, ValueError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, _TooLarge) else "this is not YAML in UTF-8"
        raise ConfigurationError([reason]) from None
    if not isinstance(content, dict):
        raise ConfigurationError([f"the file has to begin with `version: {VERSION}` and name kinds such as endpoints:"])
    if not is_storable(content):
        raise ConfigurationError(["the file holds something that JSON has not: a NUL, an infinite number, a binary"])
    return content


class _TooLarge(ValueError):
    """The content is too much, with its aliases followed."""


def _check_size(content: Any) -> None:
    left = _MOST_VALUES
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        left -= 1
        if left < 0 or depth > _DEEPEST:
            raise _TooLarge("the file holds too many values, or is nested too deeply")
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                raise _TooLarge("every name in the file has to be a text; put it in quotation marks")
            waiting += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            waiting += [(child, depth + 1) for child in value]


def _problems(kind: Kind, items: Any) -> Iterator[str]:
    if not isinstance(items, list):
        yield f"{kind.name}: has to be a list; [] means none"
        return
    seen = set()
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            yield f"{kind.name}.{number}: has to be {' and '.join(kind.identity)} with their values"
            continue
        missing = [name for name in kind.identity if not str(item.get(name) or "").strip()]
        if missing:
            yield f"{kind.name}.{number}: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            continue
        key = kind.item_key(item)
        if kind.unique and key in seen:
            yield f"{kind.name}.{number}: {kind.label(key)} is there twice"
        seen.add(key)
