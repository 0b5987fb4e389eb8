"""What the documentation names is there: files, commands, settings, checks, providers, handlers."""

from __future__ import annotations

import hmac
import io
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands
from ruamel.yaml import YAML

from deliveries.models import Event
from deliveries.reference_pages.commands import commands_page
from deliveries.reference_pages.handlers import built_in, handlers_page
from deliveries.reference_pages.metrics import metrics_page
from deliveries.reference_pages.operations import operations_page
from deliveries.reference_pages.settings import settings_page
from integrations.contracts import Context, InboundEvent
from integrations.handlers import Handler, handlers
from integrations.provider_pages import provider_page
from integrations.providers import providers
from tests.factories import make_endpoint
from tests.running_hub import ROOT

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PROVIDER_PAGES = [REFERENCE / "providers.md", *sorted((DOCS / "providers").glob("*.md"))]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

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


def built_in_run(event: InboundEvent, context: Context) -> None:
    """Sync a ``contact``.

    What is only for who reads the code.
    """


built_in_run.__module__ = "integrations.handlers.crm"


class LaterDatetime(datetime):
    """A clock that is 400 days and some milliseconds ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=400, milliseconds=123)


def described_in(folder: Path) -> dict[Path, str]:
    """Return the pages that ``describe_providers`` writes, by their place in the documentation."""
    (folder / "reference").mkdir(parents=True)
    table = Path("reference", "verified-by-sdks.md")
    (folder / table).write_bytes((DOCS / table).read_bytes())
    call_command("describe_providers", str(folder), stdout=io.StringIO())
    written = {path.relative_to(folder): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}
    return {path: page for path, page in written.items() if path != table}


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

        assert set(DOCS.rglob("*.md")) - {DOCS / "README.md", DOCS / "index.md"} <= reached


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


class TestTheProviderOfTenLines:
    @pytest.fixture
    def acme(self, monkeypatch):
        monkeypatch.setattr(providers, "_entries", {key: providers[key] for key in providers})
        source = PYTHON.findall((DOCS / "how-to" / "add-a-provider.md").read_text(encoding="utf-8"))[0]
        exec(compile(source, "acme.py", "exec"), {"__name__": "integrations.providers.acme"})
        return providers["acme"]

    def test_has_no_more_lines(self) -> None:
        source = PYTHON.findall((DOCS / "how-to" / "add-a-provider.md").read_text(encoding="utf-8"))[0]

        assert len(source[source.index("providers.register") :].strip().splitlines()) <= 10

    @pytest.mark.parametrize(("secret", "status"), [("the secret", 200), ("another secret", 401)])
    @pytest.mark.django_db
    def test_takes_what_is_signed_with_the_secret_alone(self, acme, client, secret, status) -> None:
        make_endpoint(provider="acme", slug="acme", secret="the secret")
        body = b'{"event": "order.paid"}'
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {"X-Acme-Signature": f"sha256={signature}", "X-Acme-Delivery": "evt-1"}

        answer = client.post("/hooks/acme", body, content_type="application/json", headers=headers)

        assert answer.status_code == status
        stored = list(Event.objects.values_list("event_id", "event_type"))
        assert stored == ([("evt-1", "order.paid")] if status == 200 else [])

    def test_gets_a_page(self, acme) -> None:
        assert "`sha256=<signature>`" in provider_page("acme", [])


class TestTheReference:
    def test_of_commands_names_every_command_of_the_hub(self) -> None:
        own = {name for name, app in get_commands().items() if app in {"deliveries", "integrations"}}
        page = (REFERENCE / "commands.md").read_text(encoding="utf-8")

        assert own - set(re.findall(r"^\| `([a-z_]+)", page, re.MULTILINE)) == set()

    def test_of_command_options_is_what_the_commands_say(self) -> None:
        # Python's own help breaks its lines elsewhere in another version.
        written = (REFERENCE / "command-options.md").read_text(encoding="utf-8").split()

        assert written == commands_page().split(), "run `make reference`"

    def test_of_operations_is_what_the_schema_says(self) -> None:
        schema = YAML(typ="safe").load((REFERENCE / "openapi.yaml").read_text(encoding="utf-8"))

        page = operations_page(schema)

        assert (REFERENCE / "api-operations.md").read_text(encoding="utf-8") == page, "run `make reference`"
        methods = [f"{method.upper()} {path}" for path, operations in schema["paths"].items() for method in operations]
        assert [name for name in methods if f"### `{name}`\n" not in page] == []

    def test_of_checks_names_every_check_and_no_other(self) -> None:
        source = (ROOT / "integrations" / "checks.py").read_text(encoding="utf-8")
        page = (REFERENCE / "checks.md").read_text(encoding="utf-8")

        assert set(re.findall(r"^\| `(hub\.[EW]\d+)`", page, re.MULTILINE)) == set(re.findall(r"hub\.[EW]\d+", source))

    def test_of_providers_is_what_the_presets_say(self, tmp_path) -> None:
        described = described_in(tmp_path)

        written = {path.relative_to(DOCS): path.read_text(encoding="utf-8") for path in PROVIDER_PAGES}
        assert len(written) > 100
        assert written == described, "run `manage.py describe_providers docs`"

    def test_of_providers_says_the_same_at_any_time(self, tmp_path, monkeypatch) -> None:
        today = described_in(tmp_path / "today")
        for module in [module for name, module in sys.modules.items() if name.startswith("integrations.provider")]:
            if getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", LaterDatetime)

        assert described_in(tmp_path / "later") == today

    def test_of_settings_is_what_is_read_and_described(self) -> None:
        page = (REFERENCE / "settings.md").read_text(encoding="utf-8")

        assert settings_page(page) == page, "run `make reference`"
        assert "Not described yet" not in page, "hub/described.py has no entry of a setting that is read"

    def test_of_metrics_is_what_the_hub_tells(self) -> None:
        page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")

        assert metrics_page(page) == page, "run `make reference`"

    def test_of_handlers_is_what_the_built_in_ones_say(self) -> None:
        page = (REFERENCE / "handlers.md").read_text(encoding="utf-8")

        assert {"log", "http.forward"} <= {entry.key for entry in built_in()}
        assert handlers_page(page) == page, "run `make reference`"

    def test_of_handlers_gets_a_place_for_a_new_one_and_keeps_what_people_wrote(self, monkeypatch) -> None:
        page = (REFERENCE / "handlers.md").read_text(encoding="utf-8")
        schema = {"type": "object", "properties": {"list": {"type": "string", "description": "where to"}}}
        entry = Handler("crm.sync", built_in_run, "Sync.", schema, 3, timedelta(seconds=20))
        monkeypatch.setattr(handlers, "_entries", {**{key: handlers[key] for key in handlers}, "crm.sync": entry})

        written = handlers_page(page)

        assert written.startswith(page.rstrip())
        added = written.removeprefix(page.rstrip())
        assert "## `crm.sync`" in added
        assert "Sync a `contact`." in added
        assert "`max_attempts` 3 and `timeout_seconds` 20" in added
        assert "| `list` | none | where to |" in added
        assert handlers_page(written.replace("where to", "gone")) == written

    def test_is_written_by_one_command(self, tmp_path) -> None:
        shutil.copytree(REFERENCE, tmp_path / "reference")
        for name in ("settings.md", "configuration.schema.json"):
            page = tmp_path / "reference" / name
            page.write_text(page.read_text(encoding="utf-8").replace("HUB_PORT", "HUB_PROT"), encoding="utf-8")
        call_command("describe_reference", str(tmp_path), stdout=io.StringIO())

        for name in ("settings.md", "handlers.md", "api-operations.md", "configuration.schema.json"):
            assert (tmp_path / "reference" / name).read_bytes() == (REFERENCE / name).read_bytes(), name

    def test_is_not_written_into_another_folder(self, tmp_path) -> None:
        with pytest.raises(CommandError, match="not the documentation's folder"):
            call_command("describe_reference", str(tmp_path))

    def test_of_handlers_names_the_headers_that_are_sent(self) -> None:
        page = (REFERENCE / "handlers.md").read_text(encoding="utf-8")
        source = (ROOT / "integrations" / "handlers" / "http.py").read_text(encoding="utf-8")

        sent = set(re.findall(r'"(X-Hub-[A-Za-z-]+)"', source))
        assert len(sent) > 3
        assert sent == set(re.findall(r"`(X-Hub-[A-Za-z-]+)`", page))
