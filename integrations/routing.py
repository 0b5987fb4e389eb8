"""Does an event belong to a route? Event type globs and a JMESPath filter.

Expressions come from operators, payloads from senders, and a payload can be 10 MiB: so an expression is checked when it
is saved, for what it may copy, and stopped when it runs, after so many steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from math import prod
from typing import Any

import jmespath
import structlog
from jmespath.exceptions import ArityError, JMESPathError, JMESPathTypeError, UnknownFunctionError
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

logger = structlog.get_logger(__name__)

MAX_CHARACTERS = 2000
#: How often an expression may repeat its payload: `[@,@]|[@,@]|...` doubles it every six characters.
MAX_COPIES = 50
#: Nodes that one search may visit; well under a second.
MAX_STEPS = 300_000


class TooMuchWork(JMESPathError):
    """An expression took more than `MAX_STEPS` on a payload."""


@lru_cache(maxsize=512)
def compiled(expression: str) -> ParsedResult:
    """Return ``expression`` ready to search with; raises only `JMESPathError`, which says what is wrong."""
    if len(expression) > MAX_CHARACTERS:
        raise JMESPathError(f"longer than {MAX_CHARACTERS} characters")
    try:
        result = jmespath.compile(expression)
        copies = _copies(result.parsed)
    except JMESPathError:
        raise
    except Exception as exc:  # the parser lets some of Python's own errors through (RecursionError, ...)
        raise JMESPathError(f"it cannot be parsed ({type(exc).__name__})") from exc
    if copies > MAX_COPIES:
        raise JMESPathError("it makes too many copies of the payload; use fewer lists and objects ([a, b], {a: b})")
    if _negates_too_little(result.parsed):
        raise JMESPathError("in !a.b the ! is for a alone, which has no b then; write !(a.b)")
    return result


def search(expression: str, payload: Any) -> Any:
    """Return what ``expression`` finds in ``payload``; None too where the payload is not what it expects.

    A type error of the expression on this payload (abs('x')), or too much work, is an answer, "nothing": the sender
    can do nothing about it. Syntax is checked when the expression is saved.
    """
    try:
        return _Interpreter().visit(compiled(expression).parsed, payload)
    except TooMuchWork:
        logger.warning("expression.stopped", expression=expression[:200], steps=MAX_STEPS)
    except (JMESPathError, RecursionError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        pass
    return None


def is_true(expression: str, value: Any) -> bool:
    """Return whether ``expression`` finds something true in ``value``.

    Unlike `search` it raises `JMESPathError` where ``value`` is not what the expression expects, and says what of the
    expression fails; nothing of ``value`` is in the text.
    """
    try:
        return _is_true(_Interpreter().visit(compiled(expression).parsed, value))
    except JMESPathTypeError as exc:
        wanted = " or ".join(map(str, exc.expected_types))
        raise JMESPathError(f"{exc.function_name}() is given {exc.actual_type}, and takes {wanted}") from None
    except TooMuchWork:
        raise JMESPathError(f"it takes more than {MAX_STEPS:,} steps") from None
    except (ArityError, UnknownFunctionError) as exc:
        raise JMESPathError(str(exc)) from None
    except (JMESPathError, RecursionError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as exc:
        raise JMESPathError(f"a value is not what it expects ({type(exc).__name__})") from None


def matches(globs: Sequence[str], expression: str, *, event_type: str, payload: Any) -> bool:
    """Return whether the type fits one of ``globs`` (none: any) and ``expression`` finds something true ("": any).

    In a glob ``*`` stands for any characters, dots too, and ``?`` for one; all others for themselves.
    """
    if globs and not any(_fits(event_type, glob) for glob in globs):
        return False
    return not expression or _is_true(search(expression, payload))


class _Interpreter(TreeInterpreter):
    """JMESPath's interpreter with an end."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = 0

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooMuchWork
        return super().visit(node, *args, **kwargs)


def _copies(node: Mapping[str, Any]) -> int:
    """Return how many times the payload can stand in the result, at most."""
    children = [_copies(child) for child in node["children"] if isinstance(child, dict)]
    if node["type"] in {"multi_select_list", "multi_select_dict"}:
        return sum(children)
    if node["type"] in {"comparator", "and_expression", "or_expression", "not_expression"}:
        return max(children)
    # A text within a text escapes each quote once more.
    own = 2 if node["type"] == "function_expression" and node["value"] == "to_string" else 1
    return own * prod(children)


def _negates_too_little(node: Mapping[str, Any]) -> bool:
    """Return whether something is looked up in what a ``!`` makes, where nothing ever is."""
    children = [child for child in node["children"] if isinstance(child, dict)]
    looks_up = node["type"] in {"subexpression", "index_expression", "projection", "value_projection"}
    if looks_up and children and children[0]["type"] == "not_expression":
        return True
    return any(_negates_too_little(child) for child in children)


def _fits(event_type: str, glob: str) -> bool:
    # fnmatch knows character classes too, and types such as "items[0].changed" are not written for it.
    return fnmatchcase(event_type, glob.replace("[", "[[]"))


def _is_true(value: Any) -> bool:
    # JMESPath's own truth: 0 is true; null, false and empty containers are not.
    return not (value is None or value is False or value == "" or value == [] or value == {})
