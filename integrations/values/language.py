"""Django's template language, cut down to what a value needs: if, for, with, comment, and a few filters.

Templates come from operators, values from senders. So a template sees plain JSON values and nothing else: no name
leads to an attribute or a method of a Python object, no tag reads a file or a setting, and output, steps and time are
bounded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.template import Context, Engine, Library, Template, TemplateSyntaxError, VariableDoesNotExist
from django.template import defaulttags as tags
from django.template.base import (
    DebugLexer,
    FilterExpression,
    Node,
    NodeList,
    Parser,
    TextNode,
    Token,
    TokenType,
    Variable,
)
from django.template.base import VariableNode as DjangoVariableNode
from django.utils.html import conditional_escape

from integrations.values.filters import FILTERS, MOST_CHARACTERS, TooMuchOutput, as_text

MAX_TEMPLATE_CHARACTERS = 20_000
#: Turns of all loops together, values, and texts between them.
MAX_STEPS = 50_000
MAX_SECONDS = 2.0

__all__ = ["MAX_SECONDS", "MAX_STEPS", "TemplateInvalid", "TooMuchOutput", "ValueTemplate", "compiled", "names_below"]


class TemplateInvalid(Exception):
    """A text is no template; ``line`` and ``column`` begin with 1."""

    def __init__(self, reason: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line = line
        self.column = column


class _Budget:
    """What one rendering may still use."""

    def __init__(self) -> None:
        self._characters = self._steps = 0
        self._until = time.monotonic() + MAX_SECONDS

    def spend(self, text: str = "") -> str:
        """Count ``text`` and one step; raises `TooMuchOutput`."""
        self._steps += 1
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise TooMuchOutput(f"it makes more than {MOST_CHARACTERS:,} characters")
        if self._steps > MAX_STEPS:
            raise TooMuchOutput(f"it takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self._until:
            raise TooMuchOutput(f"it takes longer than {MAX_SECONDS:g} s")
        return text


class _Scope(Context):
    def __init__(self, values: Mapping[str, Any], *, html: bool) -> None:
        super().__init__(dict(values), autoescape=html, use_l10n=False, use_tz=False)
        self.budget = _Budget()


class _JsonVariable(Variable):
    """A name that leads through objects and lists only; ``items`` of an object are its pairs."""

    def _resolve_lookup(self, context: Any) -> Any:
        current = context
        for bit in self.lookups or ():
            current = _step_into(current, bit)
        return current


def _step_into(current: Any, bit: str) -> Any:
    if isinstance(current, Context):
        try:
            return current[bit]
        except KeyError:
            pass
    elif isinstance(current, Mapping):
        if bit in current:
            return current[bit]
        if bit == "items":
            return list(current.items())
    elif isinstance(current, list | tuple) and bit.isascii() and bit.isdigit() and len(bit) < 10:
        return current[int(bit)] if int(bit) < len(current) else None
    raise VariableDoesNotExist("There is no %s here.", (bit,))


class _Value(DjangoVariableNode):
    def render(self, context: Any) -> Any:
        text = as_text(self.filter_expression.resolve(context))
        return context.budget.spend(conditional_escape(text) if context.autoescape else text)


class _Text(TextNode):
    def render(self, context: Any) -> Any:
        return context.budget.spend(self.s)


class _Turn(Node):
    """The beginning of each turn of a loop."""

    def render(self, context: Any) -> Any:
        return context.budget.spend()


class _Expression(FilterExpression):
    """A value with its filters, wherever it stands: each time that it is asked for is a step."""

    def resolve(self, context: Any, ignore_failures: bool = False) -> Any:
        context.budget.spend()
        return super().resolve(context, ignore_failures)


class _Parser(Parser):
    def compile_filter(self, token: str) -> FilterExpression:
        expression = _Expression(token, self)
        if isinstance(expression.var, Variable):
            expression.var = _JsonVariable(expression.var.var)
        for _, given in expression.filters:
            given[:] = [(lookup, _JsonVariable(arg.var) if isinstance(arg, Variable) else arg) for lookup, arg in given]
        return expression

    def extend_nodelist(self, nodelist: NodeList, node: Node, token: Token) -> None:
        if isinstance(node, DjangoVariableNode):
            node = _Value(node.filter_expression)
        elif isinstance(node, TextNode):
            node = _Text(node.s)
        super().extend_nodelist(nodelist, node, token)


def _for(parser: Parser, token: Token) -> Node:
    node = tags.do_for(parser, token)
    loop: list[Any] = node.nodelist_loop
    loop.insert(0, _Turn())
    return node


_LIBRARY = Library()
_LIBRARY.tags = {
    "comment": tags.comment,
    "for": _for,
    "if": tags.do_if,
    "with": tags.do_with,
}
_LIBRARY.filters = dict(FILTERS)
_ENGINE = Engine(dirs=[], app_dirs=False, loaders=[], debug=False, string_if_invalid="")


class ValueTemplate(Template):
    """A template that has been parsed."""

    def compile_nodelist(self) -> NodeList:
        """Return its nodes; raises `TemplateSyntaxError` with the token at which it goes wrong."""
        return _Parser(DebugLexer(str(self.source)).tokenize(), {}, [_LIBRARY], self.origin).parse()

    def render_values(self, values: Mapping[str, Any], *, html: bool = False) -> str:
        """Return the text that it makes of ``values``; raises `TooMuchOutput`."""
        try:
            return str(self.render(_Scope(values, html=html)))
        except TooMuchOutput:
            raise
        except RecursionError as exc:
            raise TooMuchOutput("it is nested too deeply") from exc
        except Exception as exc:  # a filter or a comparison that this value is not made for
            raise TooMuchOutput(f"a value is not what the template expects ({type(exc).__name__})") from exc


@lru_cache(maxsize=256)
def compiled(text: str) -> ValueTemplate:
    """Return ``text`` as a template; raises `TemplateInvalid`."""
    if len(text) > MAX_TEMPLATE_CHARACTERS:
        raise TemplateInvalid(f"longer than {MAX_TEMPLATE_CHARACTERS:,} characters", line=1, column=1)
    try:
        return ValueTemplate(text, engine=_ENGINE)
    except TemplateSyntaxError as exc:
        token = getattr(exc, "token", None)
        start = token.position[0] if token is not None and token.position else 0
        before = text[:start]
        line, column = before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
        raise TemplateInvalid(_reason(exc), line=line, column=column) from exc
    except RecursionError as exc:
        raise TemplateInvalid("nested too deeply", line=1, column=1) from exc


def names_below(root: str, text: str) -> set[str]:
    """Return what stands after ``root.`` in the tags of a template: ``lookup`` of ``{{ steps.lookup.id }}``.

    What is no template has none.
    """
    named = re.compile(rf"(?<![\w.\"']){re.escape(root)}\.(\w+)")
    tags_of = (TokenType.VAR, TokenType.BLOCK)
    tokens = DebugLexer(text).tokenize() if len(text) <= MAX_TEMPLATE_CHARACTERS else []
    return {name for token in tokens if token.token_type in tags_of for name in named.findall(token.contents)}


def _reason(exc: TemplateSyntaxError) -> str:
    return str(exc).partition(". Did you forget to register or load this tag?")[0].rstrip(".")
