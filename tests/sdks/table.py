"""``python -m tests.sdks.table``: which provider is checked by which library, as a page of the documentation."""

from __future__ import annotations

import json
import re

from integrations.providers import providers
from tests.integrations.providers.facts import ALL, Facts
from tests.sdks.adapters import Adapter
from tests.sdks.channel import JAVASCRIPT as JAVASCRIPT_DIRECTORY
from tests.sdks.channel import ROOT
from tests.sdks.javascript import JavaScriptAdapter
from tests.sdks.libraries import ADAPTERS

TABLE = ROOT / "docs" / "reference" / "verified-by-sdks.md"

_HEAD = """\
# Verified by official libraries

Presets that are checked against the provider's own library, in the version named, at every run of the tests. The
library accepts what the hub signs, and refuses it with a changed body or under another secret; where there is a signer,
the hub accepts what it signs. `make sdks` installs the libraries; `requirements-sdks.txt` and
`tests/sdks/js/package-lock.json` pin them.

Not the provider's own: pyairtable (the community's, Airtable has none), standardwebhooks for GitLab and Supabase, who
sign as that specification says, and the signers of PyNaCl and PyJWT, where the provider publishes none.

| provider | library | verifies what the hub signs | signs what the hub verifies |
|---|---|---|---|
"""


def facts_of(adapter: Adapter | JavaScriptAdapter) -> Facts:
    """Return the facts about the preset that ``adapter`` is for."""
    return next(facts for facts in ALL if (facts.provider, facts.case) == (adapter.provider, adapter.case))


def table() -> str:
    """Return the page."""
    return _HEAD + "".join(_row(ADAPTERS[key]) for key in sorted(ADAPTERS))


def _row(adapter: Adapter | JavaScriptAdapter) -> str:
    language = "Python" if isinstance(adapter, Adapter) else "JavaScript"
    name = providers[adapter.provider].name + (f" ({adapter.case.replace('_', ' ')})" if adapter.case else "")
    library = f"{adapter.package} {pinned(adapter, adapter.package)}, {language}"
    signs = f"`{adapter.signs}`" if adapter.signs else ""
    if adapter.signs and adapter.signs_with != adapter.package:
        signs += f" of {adapter.signs_with} {pinned(adapter, adapter.signs_with)}"
    return f"| {name} | {library} | `{adapter.verifies}` | {signs or '-'} |\n"


def pinned(adapter: Adapter | JavaScriptAdapter, package: str) -> str:
    """Return the version of ``package`` that is to be installed for ``adapter``."""
    versions = _python_versions() if isinstance(adapter, Adapter) else _javascript_versions()
    return versions[_plain(package)]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _python_versions() -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements-sdks.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return {_plain(name): version for name, version in pins}


def _javascript_versions() -> dict[str, str]:
    package = json.loads((JAVASCRIPT_DIRECTORY / "package.json").read_text(encoding="utf-8"))
    return {_plain(name): version for name, version in package["dependencies"].items()}


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
