"""What the documentation names is there: files, commands, settings, checks, providers, handlers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from django.core.management import call_command, get_commands

from integrations.handlers import handlers
from integrations.management.commands.describe_providers import schema_table
from tests.running_hub import ROOT

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(r"manage\.py ([a-z_]+)")
SETTING = re.compile(r"\bHUB_[A-Z_]*[A-Z]\b")
REQUIREMENT = re.compile(r"^([\w-]+)(?:\[\w+\])?==", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of ``page``."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in HEADING.findall(page)}


def found(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for text in pattern.findall(page.read_text(encoding="utf-8")):
            yield str(page.relative_to(ROOT)), text


class TestEveryLink:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_leads_somewhere(self, page) -> None:
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link

    def test_is_on_the_way_from_the_first_page_to_every_other(self) -> None:
        reached, ahead = set(), [ROOT / "README.md"]
        while ahead:
            page = ahead.pop()
            if page in reached:
                continue
            reached.add(page)
            links = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
            targets = [(page.parent / link).resolve() for link in links if link and "://" not in link]
            ahead += [target for target in targets if target.suffix == ".md"]
            ahead += [inside for target in targets if target.is_dir() for inside in target.glob("*.md")]

        assert set(DOCS.rglob("*.md")) - {DOCS / "README.md"} <= reached


class TestEveryNamed:
    def test_command_exists(self) -> None:
        assert [(page, name) for page, name in found(COMMAND) if name not in get_commands()] == []

    def test_setting_is_read(self) -> None:
        read = set(SETTING.findall((ROOT / "hub" / "settings.py").read_text(encoding="utf-8")))
        named = {(page, name) for page, name in found(SETTING) if not name.startswith("HUB_SECRET_")}

        assert {(page, name) for page, name in named if name not in read} == set()

    def test_piece_of_python_can_be_parsed(self) -> None:
        pieces = list(found(PYTHON))

        assert len(pieces) > 3
        for page, source in pieces:
            compile(source, page, "exec")

    def test_dependency_has_its_reason(self) -> None:
        page = (DOCS / "dependencies.md").read_text(encoding="utf-8").lower()
        needed = REQUIREMENT.findall((ROOT / "requirements.txt").read_text(encoding="utf-8").lower())

        assert len(needed) > 10
        assert [name for name in needed if not re.search(rf"\b{re.escape(name)}\b", page)] == []


class TestTheReference:
    def test_of_commands_names_every_command_of_the_hub(self) -> None:
        own = {name for name, app in get_commands().items() if app in {"deliveries", "integrations"}}
        page = (REFERENCE / "commands.md").read_text(encoding="utf-8")

        assert own - set(re.findall(r"^\| `([a-z_]+)", page, re.MULTILINE)) == set()

    def test_of_checks_names_every_check_and_no_other(self) -> None:
        source = (ROOT / "integrations" / "checks.py").read_text(encoding="utf-8")
        page = (REFERENCE / "checks.md").read_text(encoding="utf-8")

        assert set(re.findall(r"^\| `(hub\.[EW]\d+)`", page, re.MULTILINE)) == set(re.findall(r"hub\.[EW]\d+", source))

    def test_of_providers_is_what_the_presets_say(self) -> None:
        printed = io.StringIO()
        call_command("describe_providers", stdout=printed)

        page = (REFERENCE / "providers.md").read_text(encoding="utf-8")
        assert page == printed.getvalue(), "run `manage.py describe_providers > docs/reference/providers.md`"

    def test_of_handlers_has_the_config_of_every_built_in_one(self) -> None:
        page = (REFERENCE / "handlers.md").read_text(encoding="utf-8")
        built_in = [entry for key in handlers if (entry := handlers[key]).run.__module__.startswith("integrations.")]

        assert {"log", "http.forward"} <= {entry.key for entry in built_in}
        for entry in built_in:
            assert f"## `{entry.key}`" in page
            assert not entry.config_schema["properties"] or schema_table(entry.config_schema) in page

    def test_of_handlers_names_the_headers_that_are_sent(self) -> None:
        page = (REFERENCE / "handlers.md").read_text(encoding="utf-8")
        source = (ROOT / "integrations" / "handlers" / "http.py").read_text(encoding="utf-8")

        sent = set(re.findall(r'"(X-Hub-[A-Za-z-]+)"', source))
        assert len(sent) > 3
        assert sent == set(re.findall(r"`(X-Hub-[A-Za-z-]+)`", page))
