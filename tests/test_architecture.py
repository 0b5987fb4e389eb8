"""The rules of the tree: which package may import which, and what a module looks like."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hub", "integrations", "deliveries")

# An arrow that is missing here is wrong.
MAY_IMPORT = {
    "integrations": {"integrations"},
    "deliveries": {"deliveries", "integrations"},
    "hub": {"hub", "deliveries", "integrations"},
}
HANDLERS_NEVER_SEE = ("deliveries", "integrations.models")
MOST_LINES = 400
NOT_A_NAME = {"utils", "util", "helpers", "common", "misc", "services", "selectors", "managers"}


def modules(package: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


ALL = [path for package in PACKAGES for path in modules(package)]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, source: str | None = None) -> set[str]:
    """Return every module that ``path`` imports, at its top or inside a function, as dotted names."""
    tree = ast.parse(path.read_text(encoding="utf-8") if source is None else source)
    package = name_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names} & {*PACKAGES, "tests"}


class TestTheImports:
    @pytest.mark.parametrize("package", PACKAGES)
    def test_point_one_way(self, package: str) -> None:
        wrong = {
            name_of(path): found for path in modules(package) if (found := tops(imported(path)) - MAY_IMPORT[package])
        }
        assert wrong == {}

    def test_of_handlers_and_connectors_lead_to_no_rows(self) -> None:
        wrong = {
            name_of(path): bad
            for folder in ("handlers", "connectors")
            for path in modules(f"integrations/{folder}")
            if (bad := {name for name in imported(path) if name.startswith(HANDLERS_NEVER_SEE)})
        }
        assert wrong == {}

    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ("import deliveries.models", {"deliveries"}),
            ("from deliveries import models", {"deliveries"}),
            ("def f():\n    from hub.env import env_int", {"hub"}),
            ("from ..models import Route", {"integrations"}),
            ("from . import http", {"integrations"}),
            ("import_module('deliveries.models')", {"deliveries"}),
            ("if TYPE_CHECKING:\n    import tests.factories as t", {"tests"}),
            ("from django.conf import settings", set()),
        ],
    )
    def test_are_all_seen(self, source: str, found: set[str]) -> None:
        assert tops(imported(ROOT / "integrations" / "handlers" / "log.py", source)) == found


class TestTheAuditLog:
    def test_is_written_in_one_place(self) -> None:
        """Django's own log too is left alone: what it holds, the audit log would lack."""
        write = re.compile(r"\bAuditEntry\(|\bAuditEntry\.objects\.(?:bulk_)?create|\bLogEntry\.objects")
        writing = {name_of(path) for path in ALL if write.search(path.read_text(encoding="utf-8"))}

        assert writing == {"deliveries.audit", "deliveries.models.audit"}  # the latter defines it


@pytest.mark.parametrize("path", ALL, ids=name_of)
class TestAModule:
    def test_says_what_it_is_for(self, path: Path) -> None:
        source = path.read_text(encoding="utf-8")
        if path.name == "__init__.py" and not source.strip():
            return
        text = ast.get_docstring(ast.parse(source)) or ""
        assert len(text) > 10
        assert "To be written" not in text

    def test_is_not_too_long(self, path: Path) -> None:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES

    def test_has_a_name_that_says_something(self, path: Path) -> None:
        assert path.stem not in NOT_A_NAME

    def test_prints_only_as_a_command(self, path: Path) -> None:
        if "commands" in path.parts:
            return
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert [call.lineno for call in calls if ast.unparse(call.func) in {"print", "pprint"}] == []
