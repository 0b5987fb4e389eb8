"""What proves a request of a provider, in words for an operator: kind, place, covered text, age, headers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from integrations.providers import Provider, Settings
from integrations.verification import Ed25519, Hmac, Open, Scheme, Token
from integrations.verification.ecdsa import Ecdsa
from integrations.verification.jwt import Jwt
from integrations.verification.signature import SignatureScheme

_WORDS = {
    "body": "the body",
    "body_sha256": "the body's SHA-256 in hexadecimal",
    "sorted_form": "the form's fields, sorted, name and value",
    "timestamp": "the timestamp",
    "id": "the id",
    "method": "the method",
    "url": "the URL",
    "path": "the URL's path",
    "header": "the header `{}`",
    "value": "the body's value at `{}`",
}
_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)(?::([^}]+))?\}")
_KINDS = {
    "hmac": "HMAC signature",
    "token": "token",
    "basic": "user and password",
    "jwt": "JSON Web Token",
    "rsa": "RSA signature",
    "ecdsa": "ECDSA signature",
    "ed25519": "Ed25519 signature",
    "none": "none",
}
_KEY_FORMS = {
    "base64": "the secret's bytes, which are written in base64",
    "hex": "the secret's bytes, which are written in hexadecimal",
    "whsec": "what stands in base64 behind the secret's `whsec_`",
    "text_or_whsec": "the secret's text, or what stands in base64 behind its `whsec_`",
    "nfkd": "the secret's text in the normal form NFKD",
    "sha1": "the secret's SHA-1",
}


def modes(preset: Provider) -> list[Settings]:
    """Return the settings, from none on, that lead to another place, text or kind of proof."""
    found: dict[Any, Settings] = {}
    for settings in ({}, *_choices(preset)):
        with suppress(ValueError, KeyError):  # needs another setting beside it
            scheme = preset.scheme_for(settings)
            looks = (scheme.kind, scheme.proof_headers, scheme.proof_parameters, getattr(scheme, "template", ""))
            found.setdefault(looks, settings)
    return list(found.values())


def _choices(preset: Provider) -> Iterator[Settings]:
    for name, entry in preset.settings_schema.get("properties", {}).items():
        for value in entry.get("enum", (True,) if entry.get("type") == "boolean" else ()):
            yield {name: value}


def not_covered(preset: Provider, scheme: Scheme) -> str:
    """Return in a sentence what the proof does not cover; "" if it covers everything."""
    if not scheme.needs_key:
        return "Everything: there is no proof."
    # What a signature over parts of the body leaves out, the preset says; other proofs leave out the whole.
    covers = scheme.covers_body or isinstance(scheme, SignatureScheme)
    return preset.not_covered or ("" if covers else "The body: the proof tells who sends, not what.")


def kind_of(scheme: Scheme) -> str:
    """Return the kind of a scheme's proof in words."""
    return _KINDS.get(scheme.kind, scheme.kind)


def proof_lines(scheme: Scheme) -> Iterator[str]:
    """Return a list in Markdown: what kind of proof, where it stands, what it covers, how old it may be."""
    yield f"- Kind: {kind_of(scheme)}"
    if isinstance(scheme, SignatureScheme):
        yield from _signature_lines(scheme)
    elif isinstance(scheme, Token):
        place = f"in the header `{scheme.header}`" if scheme.header else f"in the query parameter `{scheme.parameter}`"
        yield f"- The secret itself stands {place}" + (f", behind the word `{scheme.word}`" if scheme.word else "")
    elif isinstance(scheme, Jwt):
        yield f"- The token stands in the header `{scheme.header}`" + f", behind `{scheme.word}`" * bool(scheme.word)
        yield f"- Algorithm: {' or '.join(scheme.algorithms)}"
        yield from [f"- The body's SHA-256 is in its claim `{scheme.body_claim}`"] * bool(scheme.body_claim)
    elif not isinstance(scheme, Open):
        yield f"- {first_paragraph(scheme)}"


def _signature_lines(scheme: SignatureScheme) -> Iterator[str]:
    if isinstance(scheme, Hmac):
        yield f"- Algorithm: {'plain ' if scheme.secret_first else 'HMAC-'}{scheme.algorithm.upper()}"
        if scheme.key_form != "text":
            yield f"- The key is {_KEY_FORMS[scheme.key_form]}"
    place = f"in the header {code(scheme.headers)}" if scheme.headers else f"in the body at `{scheme.signature_path}`"
    yield f"- The signature stands {place} as {scheme.encoding}: `{scheme.layout.format('<signature>', '<time>')}`"
    if type(scheme) not in {Hmac, Ed25519, Ecdsa}:
        yield f"- {first_paragraph(scheme)}"
    shown = scheme.template.replace("\n", "\\n")
    yield f"- The signed text is {_in_words(scheme.template)}: `{shown}`"
    if scheme.timestamp and scheme.timestamp.tolerance_seconds is not None:
        off = f"{scheme.timestamp.tolerance_seconds} seconds"
        yield f"- The time at `{scheme.timestamp.place}` may be {off} off the time of arrival"


def _in_words(template: str) -> str:
    """Return a signature's template as a list of what it holds: ``{timestamp}.{body}`` is the timestamp, `.`, ...."""
    parts, end = [], 0
    for match in _PLACEHOLDER.finditer(template):
        parts += [template[end : match.start()], _WORDS[match[1]].format(match[2])]
        end = match.end()
    texts = [*parts, template[end:]]
    for place in range(0, len(texts), 2):
        texts[place] = {"": "", "\n": "a line feed"}.get(texts[place], f"`{texts[place]}`")
    return ", ".join(filter(None, texts))


def header_table(preset: Provider, sample_headers: Mapping[str, str]) -> Iterator[str]:
    """Return a table in Markdown of the headers that count and what each carries; nothing if there are none."""
    meanings: dict[str, list[str]] = {}
    spelled = {name.lower(): name for name in sample_headers}
    for name, meaning in _header_meanings(preset):
        if not name.islower():
            spelled.setdefault(name.lower(), name)
        if meaning not in meanings.setdefault(name.lower(), []):
            meanings[name.lower()].append(meaning)
    rows = [f"| `{spelled.get(name, name.title())}` | {', '.join(found)} |" for name, found in meanings.items()]
    if rows:
        yield "\n".join(["| header | carries |", "|---|---|", *rows])


def _header_meanings(preset: Provider) -> Iterator[tuple[str, str]]:
    for settings in modes(preset):
        scheme = preset.scheme_for(settings)
        named = (*getattr(scheme, "headers", ()), getattr(scheme, "header", ""))
        yield from ((name, "the proof") for name in named if name)
        yield from ((name, "the proof") for name in sorted(scheme.proof_headers))
        if isinstance(scheme, SignatureScheme):
            yield from ((name, "the signed time") for name in (scheme.timestamp.headers if scheme.timestamp else ()))
            signed = (*scheme.id_headers, *scheme.content.signed_headers)
            yield from ((name, "covered by the proof") for name in signed)
        yield from ((name, "covered by the proof") for name in sorted(scheme.covered_headers))
    for places, meaning in ((preset.event_id, "the event's id"), (preset.event_type, "the event's type")):
        for kind, _, names in (place.partition(":") for place in places):
            yield from ((name, meaning) for name in names.split("|") if kind == "header")


def code(texts: Sequence[str]) -> str:
    """Return ``texts`` as code, with commas between them; JMESPath's literals have backticks of their own."""
    return ", ".join(f"`` {text} ``" if "`" in text else f"`{text}`" for text in texts)


def first_paragraph(described: object) -> str:
    """Return what the class of ``described`` says of itself, in one line."""
    paragraph = (inspect.getdoc(type(described)) or "").partition("\n\n")[0]
    return paragraph.replace("\n", " ").replace("``", "`")
