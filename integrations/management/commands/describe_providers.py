"""``manage.py describe_providers``: the page docs/reference/providers.md, from the presets themselves."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand

from integrations.providers import Provider, Settings, providers
from integrations.verification import Basic, Hmac, Scheme, Token
from integrations.verification.signature import SignatureScheme

_INTRODUCTION = """\
# Providers

Made by `python manage.py describe_providers` from the presets; a test fails where the two differ.

Choose the provider on the endpoint's page; its key, in brackets here, is what the API takes. A *place* is
`header:NAME` or `body:JMESPATH`. Of several places of the id the first that is there counts; those of the type are
joined with a dot; where there is no id, or none is there, identical bodies count as one event for a day. Unless the
proof covers the id, a body that comes again under another id is flagged `possible_replay`.

For a sender that is not listed, `generic_hmac` fits most: [how to connect a provider](../how-to/connect-a-provider.md).
"""


class Command(BaseCommand):
    """Print the reference of providers, in Markdown."""

    help = "Prints every provider, its proof, its settings and where its secret is found, in Markdown."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the page."""
        self.stdout.write("\n".join([_INTRODUCTION, *(_section(key, providers[key]) for key in providers)]), ending="")


def schema_table(schema: Mapping[str, Any]) -> str:
    """Return the properties of a JSON Schema as a table in Markdown: name, default, meaning."""
    required = schema.get("required", ())
    rows = ["| name | default | meaning |", "|---|---|---|"]
    for name, entry in schema["properties"].items():
        default = f"`{json.dumps(entry['default'])}`" if "default" in entry else "none"
        meaning = entry.get("description", "").replace("|", "\\|")
        if "enum" in entry:
            meaning = f"{meaning.removesuffix('.')}. One of {', '.join(f'`{choice}`' for choice in entry['enum'])}."
        rows.append(f"| `{name}` | {'required' if name in required else default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _section(key: str, preset: Provider) -> str:
    lines = [f"## {preset.name} (`{key}`)", "", *(f"- {fact}" for fact in _facts(preset)), ""]
    if preset.settings_schema.get("properties"):
        lines.append(schema_table(preset.settings_schema))
    return "\n".join(lines)


def _facts(preset: Provider) -> Iterator[str]:
    for settings in ({}, *_other_modes(preset)):
        where = "".join(f", with `{name}`: `{json.dumps(value)}`" for name, value in settings.items())
        covers_id = "; covers the id" if preset.signs_id(settings) else ""
        yield f"**Proof{where}:** {_proof(preset.scheme_for(settings))}{covers_id}"
    if preset.secret_help:
        yield f"**Secret:** {preset.secret_help}"
    if preset.event_id:
        yield f"**Event id:** {_places(preset.event_id)}"
    if preset.event_type:
        yield f"**Event type:** {_places(preset.event_type)}"
    if preset.batch:
        yield f"**Batches:** the list at `{preset.batch}` can be split{_item_places(preset)}"
    if preset.json_field:
        yield f"**Forms:** the payload is the JSON in the field `{preset.json_field}`, where there is one"
    if not preset.recognised_headers({}):
        yield "**Shared URL:** cannot be recognised there"
    if preset.handshake:
        yield f"**Handshake:** {_first_line(preset.handshake)}"
    if preset.accepted:
        yield "**Answer:** in the provider's own form"
    if preset.source_networks:
        hint = preset.source_networks
        yield f"**Sends from:** {_places(hint.networks)} (<{hint.url}>, {hint.checked_on}; not applied by itself)"
    if preset.deadline_seconds:
        yield f"**Wants its answer within:** {preset.deadline_seconds:g} s"
    if preset.sensitive_fields:
        yield f"**Credentials in the body**, encrypted and masked: {_places(preset.sensitive_fields)}"
    if preset.documentation_url:
        yield f"**Documentation:** <{preset.documentation_url}>"


def _other_modes(preset: Provider) -> Iterator[Settings]:
    """Return the choices of one setting that lead to another kind of proof."""
    kind = preset.scheme_for({}).kind
    for name, entry in preset.settings_schema.get("properties", {}).items():
        for value in entry.get("enum", (True,) if entry.get("type") == "boolean" else ()):
            if preset.scheme_for({name: value}).kind != kind:
                yield {name: value}


def _proof(scheme: Scheme) -> str:
    """Return in words what proves a request's origin."""
    if isinstance(scheme, SignatureScheme):
        method = f"{scheme.kind.capitalize()} over"
        if isinstance(scheme, Hmac):
            plain = f"Plain {scheme.algorithm.upper()} of the secret and"
            method = plain if scheme.secret_first else f"HMAC-{scheme.algorithm.upper()} over"
        names = " or ".join(f"`{name}`" for name in scheme.headers)
        place = f"in the header {names}" if names else f"at `{scheme.signature_path}` of the body"
        age = f"; its time may be {scheme.timestamp.tolerance_seconds} s off" if scheme.timestamp else ""
        return f"{method} `{scheme.template}`, as {scheme.encoding} {place}{age}"
    if isinstance(scheme, Token):
        place = f"the header `{scheme.header}`" if scheme.header else f"the query parameter `{scheme.parameter}`"
        return f"the secret itself in {place}" + (f", behind `{scheme.word}`" if scheme.word else "")
    return "user and password in the header `Authorization`" if isinstance(scheme, Basic) else scheme.kind


def _item_places(preset: Provider) -> str:
    """Return in words where the items of a batch have their id, if they have one."""
    places = preset.item_event_id or [place for place in preset.event_id if place.startswith("body:")]
    return f"; each item's id: {_places(places)}" if places else "; items have no id"


def _places(places: Any) -> str:
    return ", ".join(f"`{place}`" for place in places)


def _first_line(described: object) -> str:
    return (inspect.getdoc(type(described)) or "").partition("\n")[0].replace("``", "`")
