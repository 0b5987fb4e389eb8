"""The documentation of every provider, made from its preset: a page for the operator each, and the index of all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import Any

from integrations.provider_pages.examples import Example, example_of
from integrations.provider_pages.proofs import (
    code,
    first_paragraph,
    header_table,
    kind_of,
    modes,
    not_covered,
    proof_lines,
)
from integrations.providers import Answer, Provider, providers
from integrations.verification import Scheme

_MADE = "<!-- Made by `python manage.py describe_providers docs` from the preset; change that. -->"
_INDEX = """\
# Providers

Made by `python manage.py describe_providers docs` from the presets; a test fails where the two differ.

The key is what the API takes as `provider`; it leads to the page with what to paste where. *Symmetric*: the secret that
verifies also signs; elsewhere the provider keeps a private key, and test events are signed with a key pair of the hub's
own. *Library*: the preset is checked against the provider's own one ([the versions](verified-by-sdks.md)).

For a sender that is not listed, [`generic_hmac`](../providers/generic_hmac.md) fits most:
[how to connect a provider](../how-to/connect-a-provider.md).

| key | name | proof | symmetric | not covered by the proof | library |
|---|---|---|---|---|---|
"""


def index_page(libraries: Mapping[str, Sequence[str]]) -> str:
    """Return the table of all providers in Markdown; ``libraries`` are those that check it, by the provider's name."""
    return _INDEX + "".join(_row(key, providers[key], checked=providers[key].name in libraries) for key in providers)


def provider_page(key: str, libraries: Sequence[str]) -> str:
    """Return the page of one provider in Markdown."""
    preset = providers[key]
    example = example_of(preset)
    sections = {
        "Set it up": _set_up(key, preset, example),
        "How a request is proven": _proof(preset, libraries),
        "Headers": header_table(preset, example.headers),
        "Settings": _settings(preset),
        "Handshake and answers": _answers(preset),
        "Id and duplicates": _duplicates(preset),
        "Type": _type(preset, example),
        "Batches": _batches(preset),
        "Deadline and retries": _retries(preset),
        "Where it sends from": _networks(preset),
        "Example": _example(preset, example),
    }
    parts = [f"# {preset.name}", _MADE]
    for title, paragraphs in sections.items():
        if found := list(paragraphs):
            parts += [f"## {title}", *found]
    return "\n\n".join([*parts, "[All providers](../reference/providers.md)"]) + "\n"


def schema_table(schema: Mapping[str, Any]) -> str:
    """Return the properties of a JSON Schema as a table in Markdown: name, default, meaning."""
    required = schema.get("required", ())
    rows = ["| name | default | meaning |", "|---|---|---|"]
    for name, entry in schema["properties"].items():
        default = f"`{json.dumps(entry['default'])}`" if "default" in entry else "none"
        meaning = _cell(entry.get("description", ""))
        if "enum" in entry:
            meaning = f"{meaning.removesuffix('.')}. One of {', '.join(f'`{choice}`' for choice in entry['enum'])}."
        if entry.get("writeOnly"):
            meaning += " Never shown once it is saved."
        rows.append(f"| `{name}` | {'required' if name in required else default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _row(key: str, preset: Provider, *, checked: bool) -> str:
    scheme = preset.scheme_for({})
    symmetric = "yes" if scheme.symmetric else "no"
    cells = [f"[`{key}`](../providers/{key}.md)", preset.name, kind_of(scheme), symmetric if scheme.needs_key else "-"]
    return f"| {' | '.join([*cells, _cell(not_covered(preset, scheme)) or '-', 'yes' if checked else '-'])} |\n"


def _set_up(key: str, preset: Provider, example: Example) -> Iterator[str]:
    if key == "internal":
        yield "Endpoints of this provider have no public URL: schedules and handlers make their events."
        return
    scheme = preset.scheme_for({})
    required = [f"`{name}`" for name in preset.settings_schema.get("required", ())]
    steps = [f"In the hub, add an endpoint and choose the provider **{preset.name}** (in the API: `{key}`)."]
    if required:
        steps.append(f"Fill in {', '.join(required)}, explained below.")
    step = "At the provider, register the URL `<HUB_BASE_URL>/hooks/<slug>`, with the endpoint's own slug."
    steps.append(f"{step} Where it is entered: {preset.url_help}" if preset.url_help else step)
    steps += _secret_step(preset, scheme)
    kind = f" --type {quote(example.event_type)}" if example.can_choose_type else ""
    own_pair = "" if scheme.symmetric else " It is signed with a key pair that the hub makes and keeps for test events."
    steps.append(f"Try it: `python manage.py send <slug>{kind}` sends an event like the example below.{own_pair}")
    yield "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    if preset.documentation_url:
        yield f"The provider's own documentation: <{preset.documentation_url}>"


def _secret_step(preset: Provider, scheme: Scheme) -> Iterator[str]:
    if not scheme.needs_key:
        yield "There is no secret: the hub takes whatever comes. Limit the endpoint's allowed networks."
        return
    where = preset.secret_help or "The secret that you and the sender share."
    if preset.delivered_secret is None:
        yield f"Paste the secret into the endpoint's page, under Secrets. Where it is found: {where}"
    else:
        yield f"The provider delivers the secret. Start the wait on the endpoint's page; it lasts 15 minutes. {where}"


def _proof(preset: Provider, libraries: Sequence[str]) -> Iterator[str]:
    for settings in modes(preset):
        when = " and ".join(f"`{name}` is `{json.dumps(value)}`" for name, value in settings.items())
        scheme = preset.scheme_for(settings)
        # What the preset says holds for all of its modes; the rest is each scheme's own.
        lacking = "" if preset.not_covered else not_covered(preset, scheme)
        sentence = "\n".join([*proof_lines(scheme), *[f"- Not covered: {lacking}"] * bool(lacking)])
        yield f"Where {when}:\n\n{sentence}" if when else sentence
    if preset.not_covered:
        yield f"**Not covered:** {preset.not_covered}"
    if preset.sensitive_fields:
        yield f"Credentials in the body, stored encrypted and masked: {code(preset.sensitive_fields)}."
    if libraries:
        yield f"Checked in the tests against {', '.join(libraries)}: [details](../reference/verified-by-sdks.md)."


def _settings(preset: Provider) -> Iterator[str]:
    if preset.settings_schema.get("properties"):
        yield schema_table(preset.settings_schema).rstrip()


def _answers(preset: Provider) -> Iterator[str]:
    if preset.handshake:
        methods = f" Besides POST it answers {code(sorted(preset.handshake.methods))}." * bool(preset.handshake.methods)
        yield f"Handshake: {first_paragraph(preset.handshake)}{methods}"
    if isinstance(preset.accepted, Answer):
        yield f"An accepted event is answered with {_answer(preset.accepted)}."
    elif preset.accepted is not None:
        yield "An accepted event is answered in the provider's own form, which depends on the event."
    if preset.refused:
        yield f"A request without a valid proof is answered with {_answer(preset.refused)}."
    if not preset.recognised_headers({}) and preset.scheme_for({}).needs_key:
        yield "At the shared URL `/hooks` it cannot be recognised: register the endpoint's own URL."


def _duplicates(preset: Provider) -> Iterator[str]:
    if not preset.event_id:
        settable = _can_set(preset, "event_id")
        yield "The setting `event_id` names the place of the id." if settable else "The provider sends no id."
        yield "Without an id, identical bodies within a day count as one event."
        return
    yield f"The id is read at {code(preset.event_id)}" + (
        "; the first that is there counts." if len(preset.event_id) > 1 else "."
    )
    yield "The same id again is a duplicate. Without an id, identical bodies within a day count as one."
    if not preset.signs_id({}):
        yield "The proof does not cover the id: a body that comes again under another id is flagged `possible_replay`."


def _type(preset: Provider, example: Example) -> Iterator[str]:
    if not preset.event_type:
        where = "The setting `event_type` names the place of the type, by which routes choose."
        none = "The provider names no type: routes choose by a filter on the payload."
        yield where if _can_set(preset, "event_type") else none
        return
    several = ", joined with a dot" if len(preset.event_type) > 1 else ""
    shown = f" An example: `{example.event_type}`." if example.event_type else ""
    yield f"The type, by which routes choose, is read at {code(preset.event_type)}{several}.{shown}"


def _batches(preset: Provider) -> Iterator[str]:
    if preset.batch:
        places = preset.item_event_id or [place for place in preset.event_id if place.startswith("body:")]
        yield f"A request may hold several events, at {code([preset.batch])}: kept whole, or split if you choose so."
        yield f"Each item has its id at {code(places)}." if places else "Items are told apart by what they say."


def _retries(preset: Provider) -> Iterator[str]:
    deadline = preset.deadline_seconds
    known = f"The provider wants its answer within {deadline:g} seconds." if deadline else ""
    yield known or "The provider documents no deadline for the answer."
    yield f"What was not accepted is sent again: {preset.retries}" if preset.retries else "Retries are not documented."
    if preset.retry_hours is not None:
        yield f"A secret is safe to retire when it was last used more than {preset.retry_hours:g} hours ago."


def _networks(preset: Provider) -> Iterator[str]:
    if hint := preset.source_networks:
        source = f"published at <{hint.url}>; these are from a copy read on {hint.checked_on}: compare first"
        yield f"{code(hint.networks)} ({source})."
        yield "Not applied by itself: copy them into the endpoint's allowed networks if you want to."


def _example(preset: Provider, example: Example) -> Iterator[str]:
    form = f" with the JSON in the field `{preset.json_field}`" if preset.json_field else ""
    yield f"The body comes as `{example.content_type}`{form}; the hub reads it as:"
    yield f"```json\n{example.payload}\n```"


def _can_set(preset: Provider, name: str) -> bool:
    return name in preset.settings_schema.get("properties", {})


def _answer(answer: Answer) -> str:
    return f"`{answer.status}` and " + (f"`{answer.body.decode()}`" if answer.body else "no body")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
