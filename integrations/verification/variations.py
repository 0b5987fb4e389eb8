"""What is commonly wrong with a request that does not verify, as things to try: each changes one thing.

For an operator who asks why; the receiving path never tries any of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args
from urllib.parse import urlsplit

from integrations.contracts import InboundRequest
from integrations.verification.base import Scheme
from integrations.verification.hmac import Algorithm, Hmac
from integrations.verification.layouts import Plain
from integrations.verification.signature import SignatureScheme
from integrations.verification.templates import FORM
from integrations.verification.texts import Encoding
from integrations.verification.token import Token

_PREFIXES = ("", "sha256=", "sha1=", "sha512=", "v0=", "v1=", "hmac-sha256=", "HMAC ", "Bearer ")
_SUSPECT_HEADER = re.compile(r"sign|hmac|token|auth|hash|digest|secret|key", re.IGNORECASE)
_MOST_HEADERS = 8
_MOST_HOSTS = 4
#: Larger bodies are not parsed and written anew.
_MOST_BODY = 256 * 1024


@dataclass(frozen=True)
class Variation:
    """The request as it would be if one thing had been otherwise; ``code`` is stable, ``text`` for the operator."""

    code: str
    text: str
    scheme: Scheme
    request: InboundRequest
    change_key: Callable[[str], str] = str


def variations(scheme: Scheme, request: InboundRequest, *, forwarded: tuple[str, ...] = ()) -> Iterator[Variation]:
    """Yield what to try with each secret, the likely first; ``forwarded`` are other addresses that the hub may have.

    No text holds a secret, a proof or a query string.
    """
    yield from _keys(scheme, request)
    if isinstance(scheme, SignatureScheme):
        yield from _formats(scheme, request)
        yield from _urls(scheme, request, forwarded)
        yield from _bodies(scheme, request)
        yield from _templates(scheme, request)
    yield from _other_headers(scheme, request)


def _keys(scheme: Scheme, request: InboundRequest) -> Iterator[Variation]:
    def changed(code: str, text: str, change: Callable[[str], str], under: Scheme = scheme) -> Variation:
        return Variation(code, text, under, request, change)

    yield changed("secret_white_space", "the secret had no white space around it: enter it anew without.", str.strip)
    yield changed(
        "secret_line_end", "the secret at the provider ends in a line break: set it anew there.", "{}\n".format
    )
    yield changed("secret_quotes", "the secret had no quotation marks around it: enter it anew without.", _unquoted)
    yield changed(
        "secret_prefix",
        "the secret were used without its prefix (whsec_ or the like): enter it without.",
        lambda key: key.strip().rpartition("_")[2],
    )
    if isinstance(scheme, Hmac):
        forms = {
            "text": ("secret_as_text", "the secret were used as it is, not decoded: choose a preset that does so."),
            "whsec": ("secret_whsec", "the part behind whsec_ were decoded from base64, as Standard Webhooks does."),
            "base64": ("secret_base64", "the secret were decoded from base64 before use."),
            "hex": ("secret_hex", "the secret were decoded from hexadecimal before use."),
        }
        for form, (code, text) in forms.items():
            if form != scheme.key_form:
                yield changed(code, text, str.strip, replace(scheme, key_form=form))  # type: ignore[arg-type] # a key form


def _unquoted(key: str) -> str:
    return key.strip().strip("\"'")


def _formats(scheme: SignatureScheme, request: InboundRequest) -> Iterator[Variation]:
    """Yield other hash functions, encodings and prefixes; a signature of another size is refused without a digest."""
    layouts = [Plain(prefix) for prefix in _PREFIXES] if isinstance(scheme.layout, Plain) else []
    algorithms: tuple[Any, ...] = get_args(Algorithm) if isinstance(scheme, Hmac) else ("",)
    for layout, encoding, algorithm in product([scheme.layout, *layouts], get_args(Encoding), algorithms):
        changes: dict[str, Any] = {"layout": layout, "encoding": encoding, "algorithm": algorithm}
        differing = {name: value for name, value in changes.items() if value != getattr(scheme, name, "")}
        if differing:
            code, text = _format_in_words(differing)
            yield Variation(code, text, replace(scheme, **differing), request)


def _format_in_words(differing: dict[str, Any]) -> tuple[str, str]:
    words = {
        "algorithm": lambda value: f"made with {value}",
        "encoding": lambda value: f"written in {value}",
        "layout": lambda value: f"expected behind {value.prefix!r}" if value.prefix else "expected without a prefix",
    }
    codes = {"algorithm": "algorithm", "encoding": "encoding", "layout": "signature_prefix"}
    order = [name for name in ("algorithm", "encoding", "layout") if name in differing]
    text = " and ".join(words[name](differing[name]) for name in order)
    return codes[order[0]], f"the signature were {text}: the preset or its settings say otherwise."


def _urls(scheme: SignatureScheme, request: InboundRequest, forwarded: tuple[str, ...]) -> Iterator[Variation]:
    if not (scheme.content.covers("url") or scheme.content.covers("path")):
        return
    own = urlsplit(request.url)
    hosts = dict.fromkeys([own.netloc, own.hostname or "", *forwarded])
    slashed = own.path if own.path.endswith("/") else f"{own.path}/"
    queries = dict.fromkeys([f"?{own.query}" if own.query else "", ""])
    paths = [own.path, slashed if slashed != own.path else own.path.rstrip("/")]
    signed = scheme.signed_url or request.url
    for query, path, host, protocol in product(
        queries, paths, list(hosts)[:_MOST_HOSTS], dict.fromkeys([own.scheme, "https", "http"])
    ):
        url = f"{protocol}://{host}{path}{query}"
        if url != signed:
            code, hint = _url_in_words(urlsplit(signed), urlsplit(url))
            shortened = " without its query" if own.query and not query else ""
            text = f"the URL were {protocol}://{host}{path}{shortened}: {hint}"
            yield Variation(code, text, replace(scheme, signed_url=""), replace(request, url=url))


def _url_in_words(ours: Any, theirs: Any) -> tuple[str, str]:
    base = "HUB_BASE_URL (or signed_url in the endpoint's settings) has to be the address that is entered there."
    if ours.scheme != theirs.scheme:
        return "url_scheme", base
    if ours.hostname != theirs.hostname:
        return "url_host", base
    if ours.netloc != theirs.netloc:
        return "url_port", base
    if ours.path != theirs.path:
        return "url_path", "enter the endpoint's URL at the provider exactly as the hub shows it."
    return "url_query", "the provider leaves the query string out: set signed_url in the endpoint's settings."


def _bodies(scheme: SignatureScheme, request: InboundRequest) -> Iterator[Variation]:
    on_the_way = "something between the provider and the hub changes bodies (a proxy, a gateway, a function)."
    seen = {request.body}

    def changed(code: str, text: str, body: bytes) -> Iterator[Variation]:
        if body not in seen:
            seen.add(body)
            yield Variation(code, f"{text}: {on_the_way}", scheme, replace(request, body=body))

    body = request.body
    unix = body.replace(b"\r\n", b"\n")
    yield from changed("body_end", "the body had no line break at its end", body.rstrip(b"\r\n"))
    yield from changed("body_end", "the body had a line break at its end", body + b"\n")
    yield from changed("body_end", "the body had a line break at its end", body + b"\r\n")
    yield from changed("body_line_ends", "the body's lines ended in LF alone", unix)
    yield from changed("body_line_ends", "the body's lines ended in CR LF", unix.replace(b"\n", b"\r\n"))
    yield from changed("body_white_space", "the body had no white space around it", body.strip())
    yield from changed("body_bom", "the body had no byte order mark", body.removeprefix(b"\xef\xbb\xbf"))
    yield from changed("body_empty", "the body were empty", b"")
    if request.content_type != FORM and len(body) <= _MOST_BODY:
        for written in _json_anew(body):
            yield from changed("body_json", "the JSON had been left as the provider wrote it", written)


def _json_anew(body: bytes) -> Iterator[bytes]:
    """Yield the JSON in ``body`` as common libraries write it; nothing if it is none."""
    try:
        payload = json.loads(body)
        for ascii_only, keys_sorted in product((False, True), repeat=2):
            for separators, indent in (((",", ":"), None), ((", ", ": "), None), ((",", ": "), 2), ((",", ": "), 4)):
                text = json.dumps(
                    payload, ensure_ascii=ascii_only, sort_keys=keys_sorted, separators=separators, indent=indent
                )
                yield text.encode()
                if "/" in text and indent is None:
                    yield text.replace("/", "\\/").encode()  # PHP
    except (ValueError, RecursionError, TypeError):
        return


def _templates(scheme: SignatureScheme, request: InboundRequest) -> Iterator[Variation]:
    if scheme.template != "{body}":
        try:
            alone = replace(scheme, template="{body}", timestamp=None, id_headers=())
        except ValueError:  # the timestamp's place is part of the scheme's layout
            return
        yield Variation("template", "the signature covered the body alone: look at the template.", alone, request)


def _other_headers(scheme: Scheme, request: InboundRequest) -> Iterator[Variation]:
    names = [name for name in request.headers if _SUSPECT_HEADER.search(name)][:_MOST_HEADERS]
    for name in names:
        if name.lower() in scheme.proof_headers:
            continue
        text = f"the proof were looked for in the header {name}."
        if isinstance(scheme, SignatureScheme) and scheme.headers:
            yield Variation("other_header", text, replace(scheme, headers=(name,)), request)
        elif isinstance(scheme, Token):
            for word in ("", "Bearer", "Token"):
                yield Variation("other_header", text, Token(header=name, word=word), request)
    if isinstance(scheme, Token) and scheme.word:
        text = f"the token stood without the word {scheme.word} in front of it."
        yield Variation("token_word", text, replace(scheme, word=""), request)
