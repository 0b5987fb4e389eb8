"""What the sources say to people: text of templates that is not marked for translation, and all that is marked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from django.template.base import DebugLexer, Node, Template, Token, TokenType
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils.translation import trim_whitespace

from tests.running_hub import ROOT

#: The pages of the API's reference stay English, as its texts do.
ENGLISH = ("api/",)
#: Attributes that are read, or read out.
READ = ("title", "aria-label", "placeholder", "alt")
#: What an included template is given that nobody reads.
UNREAD = ("class", "icon", "type", "variant")
GIVEN = re.compile(r"""\b(\w+)=(["'])(.*?)\2""")
#: Texts that a filter of a template shows, as in ``{{ "paused"|label }}``.
SHOWN = re.compile(r"""(?:^|\|(?:default|default_if_none|pluralize|yesno):)\s*(["'])(.*?)\1""")
MARKED = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext")
#: Errors whose text comes to a page by another way than an ``except`` of the admin's.
SHOWN_OTHERWISE = {"NotReverified", "ValidationError"}
#: Functions that say why something cannot be, and tables of what reasons mean.
SAYING = ("obstacle", "why_no_body")
HINTING = ("help_text", "verbose_name", "verbose_name_plural", "short_description", "empty_label")
EXPLAINING = ("EXPLANATIONS", "_EXPLANATIONS")

#: Where a script puts what is read: what is set there, or said.
_SAID = re.compile(r"""(?:\.(?:textContent|innerText|title|placeholder|ariaLabel) = |(?<!function )\bsay\()([^;]*)""")
_STRING = re.compile(r"""(["'`])((?:(?!\1).)*)\1""")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
#: Two letters of a word; UTC is none.
_WORD = re.compile(r"[a-z]{2}")
_VALUE = re.compile(r"\{\w+\}")
#: A name for the page's style or for an event, as the second thing that is said.
_KIND = re.compile(r"(?:info|success|warning|danger|neutral)")

_LETTER = re.compile(r"[^\W\d_]")


def templates() -> list[Path]:
    """Return the templates whose text is to be marked."""
    folder = ROOT / "templates"
    return [path for path in sorted(folder.rglob("*.html")) if not str(path.relative_to(folder)).startswith(ENGLISH)]


def scripts() -> list[Path]:
    """Return the scripts of the admin's pages."""
    return [path for path in sorted(ROOT.glob("*/static/**/*.js")) if path.name != "api-docs.js"]


def spoken(source: str) -> list[str]:
    """Return the texts in a script that it shows."""
    said = "\n".join(_SAID.findall(_COMMENT.sub("", source)))
    texts = [text for _, text in _STRING.findall(said)]
    return [text for text in texts if _WORD.search(_VALUE.sub("", text)) and not _KIND.fullmatch(text)]


def unmarked(source: str) -> list[str]:
    """Return the texts of a template that are shown, read out or hinted at, and not marked."""
    page = _Page()
    for token in _outside_of_marks(DebugLexer(source).tokenize()):
        if token.token_type == TokenType.TEXT:
            page.feed(token.contents)
        elif token.token_type == TokenType.VAR:
            page.found += [text for _, text in SHOWN.findall(token.contents) if _LETTER.search(text)]
            page.feed("0")
        elif token.token_type == TokenType.BLOCK:
            page.found += _given(token.contents)
            page.feed("0" if token.contents.startswith(("translate", "url")) else "")
    page.close()
    return page.found


def _given(tag: str) -> list[str]:
    if not tag.startswith(("include", "component")):
        return []
    return [text for name, _, text in GIVEN.findall(tag) if name not in UNREAD and _LETTER.search(text)]


def _outside_of_marks(tokens: list[Token]) -> Iterator[Token]:
    closing = ""
    for token in tokens:
        word = token.contents.split()[0] if token.token_type == TokenType.BLOCK else ""
        if closing:
            closing = "" if word == closing else closing
        elif word in {"blocktranslate", "comment"}:
            closing = f"end{word}"
        else:
            yield token


class _Page(HTMLParser):
    """Collects what is read; code and scripts are not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"code", "script", "style"}
        self.found += [value for name, value in attrs if name in READ and value and _LETTER.search(value)]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"code", "script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent and _LETTER.search(data):
            self.found.append(data.strip())


@cache
def marked() -> list[tuple[str, str]]:
    """Return what is marked in templates and Python files: each message, and its plural or ""."""
    found = [each for path in templates() for each in _of_nodes(Template(path.read_text()))]
    return found + [each for path in _modules() for each in _of_module(ast.parse(path.read_text()))]


def _of_nodes(template: Template) -> Iterator[tuple[str, str]]:
    nodes: list[Node] = template.nodelist.get_nodes_by_type(Node)
    for node in nodes:
        if isinstance(node, TranslateNode):
            literal = getattr(node.filter_expression.var, "literal", None)
            if isinstance(literal, str):
                yield literal.replace("%", "%%"), ""
        elif isinstance(node, BlockTranslateNode):
            one, many = (node.render_token_list(tokens)[0] for tokens in (node.singular, node.plural or []))
            yield (trim_whitespace(one), trim_whitespace(many)) if node.trimmed else (one, many)


def out_of_reach() -> list[str]:
    """Return the marked texts inside of f-strings: ``makemessages`` does not look there, and no language has them."""
    trees = (ast.parse(path.read_text()) for path in _modules())
    outer = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    return [one for node in outer for one, _ in _of_module(node)]


def made_up() -> list[str]:
    """Return the calls that look a text up which is made of pieces."""
    trees = (ast.parse(path.read_text()) for path in _modules())
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    looked_up = (node for node in calls if isinstance(node.func, ast.Name) and node.func.id in MARKED and node.args)
    return [ast.unparse(node) for node in looked_up if isinstance(node.args[0], (ast.JoinedStr, ast.BinOp))]


def _modules() -> list[Path]:
    modules = [path for folder in ("deliveries", "integrations") for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in modules if "gettext" in path.read_text()]


def _of_module(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKED:
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if texts:
                yield texts[0], texts[1] if node.func.id == "ngettext" else ""


def caught_by_pages() -> set[str]:
    """Return the names of the hub's own errors whose text a page of the admin shows, with those derived from them."""
    bases = {
        node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        for path in _sources()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef)
    }
    pages = [path for path in _sources() if "admin" in path.parts]
    caught = (
        node
        for path in pages
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and node.type is not None and node.name
    )
    named = {ast.unparse(one).rpartition(".")[2] for node in caught for one in _each(node.type)}
    found = (named & bases.keys()) | SHOWN_OTHERWISE
    return found | {name for name, above in bases.items() if found & set(above)}


def unmarked_errors(tree: ast.Module, errors: set[str]) -> list[str]:
    """Return the texts in a module that ``errors`` are raised with, `SAYING` return, or `EXPLAINING` keeps."""
    texts = [said for node in ast.walk(tree) for said in _said(node, errors)]
    kept = {
        ast.unparse(target): node.value for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
    }
    texts = [kept.get(text.id, text) if isinstance(text, ast.Name) else text for text in texts]
    return [ast.unparse(text) for text in texts if _is_text(text)]


def python_sources() -> dict[str, ast.Module]:
    """Return the modules whose errors operators may see: the API, commands and files of configuration are English."""
    english = {"api", "management", "configuration", "migrations"}
    return {str(path.relative_to(ROOT)): _tree(path) for path in _sources() if not english & set(path.parts)}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _sources() -> list[Path]:
    return [path for folder in ("deliveries", "integrations") for path in sorted((ROOT / folder).rglob("*.py"))]


def _each(names: ast.expr | None) -> list[ast.expr]:
    return names.elts if isinstance(names, ast.Tuple) else [names] if names is not None else []


def _said(node: ast.AST, errors: set[str]) -> Iterator[ast.expr]:
    """Yield what ``node`` says to an operator."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in errors:
        for said in node.args[:1]:
            yield from (said.values if isinstance(said, ast.Dict) else [said])
    elif isinstance(node, ast.keyword) and node.arg == "error_messages" and isinstance(node.value, ast.Dict):
        yield from node.value.values
    elif isinstance(node, ast.keyword) and node.arg in HINTING:
        yield node.value
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("RegexValidator"):
        yield from node.args[1:2]
    elif isinstance(node, ast.FunctionDef) and node.name in SAYING:
        for one in ast.walk(node):
            if isinstance(one, ast.Return) and one.value is not None:
                yield one.value
    elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        if ast.unparse(target) in EXPLAINING:
            yield from node.value.values


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left)
    if isinstance(node, ast.BoolOp):
        return any(_is_text(value) for value in node.values)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _is_text(node.func.value)
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.Constant) and _WORD.search(str(part.value)) for part in node.values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_WORD.search(node.value))
