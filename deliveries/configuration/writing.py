"""Write what the hub has as a configuration file: the same rows always give the same text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from deliveries.configuration.kind import Kind
from deliveries.configuration.kinds import KINDS
from deliveries.configuration.reading import VERSION

#: Where the published schema is, from the hub's folder.
PUBLISHED_SCHEMA = "docs/reference/configuration.schema.json"

_HEADER = """\
# yaml-language-server: $schema={schema}
# The hub's configuration: `manage.py apply FILE --dry-run` shows what differs, `manage.py apply FILE` changes the hub.
# A list that is here is complete: apply retires what it does not name. A list that is left out is not touched.
# What an item leaves out has its default. Secrets are references: env:HUB_SECRET_NAME or file:NAME.
version: {version}
"""


def export(*, schema: str = PUBLISHED_SCHEMA) -> str:
    """Return the file; ``schema`` is the place of its JSON Schema, for editors."""
    parts = [_HEADER.format(schema=schema, version=VERSION)]
    for kind in KINDS:
        written = "\n".join(_items(kind))
        parts.append(f"{kind.name}:\n{written}" if written else f"{kind.name}: []\n")
    return "\n".join(parts)


def _items(kind: Kind) -> Iterator[str]:
    for row in kind.rows():
        yield _yaml([kind.written(row)]) + "".join(f"    # {line}\n" for line in kind.comments(row))


def _yaml(value: Any) -> str:
    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda _data: True
    out = io.StringIO()
    yaml.dump(_readable(value), out)
    return out.getvalue()


def _readable(value: Any) -> Any:
    """Return ``value`` with texts of several lines as blocks."""
    if isinstance(value, dict):
        return {name: _readable(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_readable(child) for child in value]
    if isinstance(value, str) and "\n" in value and all(line == line.rstrip() for line in value.split("\n")):
        return LiteralScalarString(value)
    return value
