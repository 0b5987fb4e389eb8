"""The admin as a browser has it: forms are filled in as they are shown, and what each order wrote is watched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, get_resolver, resolve, reverse
from django.urls.resolvers import URLResolver

from tests.deliveries.admin.people import make_user
from tests.deliveries.api.some_rows import make_rows
from tests.deliveries.audited.watching import ADDRESS, Watched, watching

#: What is not for people: webhooks, whose events and rejections are the record, and what is asked by machines. The API
#: has a test of its own.
NOT_FOR_PEOPLE = re.compile(r"\\Ahooks|hooks/|\^?api[/(]|api/|health|metrics|\Z")
_APPS = {"auth", "deliveries", "integrations"}


class Site:
    """A superuser in a browser, on a hub with a row of everything."""

    def __init__(self) -> None:
        self.known = make_rows()
        self.user: User = make_user("superuser", name="root")
        self.client = Client(REMOTE_ADDR=ADDRESS)
        self.client.force_login(self.user)
        self.watched: Watched
        self.address = ""

    def id(self, kind: str, number: int = 0) -> Any:
        """Return the id of a row, by the name that the API has for its kind."""
        return self.known[kind][number]

    def post(self, address: str, /, *args: Any, query: str = "", **data: Any) -> Any:
        """Post to the address of that name, and watch what comes of it; return the answer."""
        self.address = address_of(address, *args)
        with watching() as self.watched:
            answer = self.client.post(self.address + query, data)
            if answer.streaming:
                b"".join(answer.streaming_content)
        return answer

    def get(self, address: str) -> Any:
        """Open an address, and watch what comes of that."""
        self.address = address.partition("?")[0]
        with watching() as self.watched:
            answer = self.client.get(address)
            if answer.streaming:
                b"".join(answer.streaming_content)
        return answer

    def fill(self, address: str, /, *args: Any, **changes: Any) -> Any:
        """Open the page of that name, change its form, and send it; a change to None is a box that is not ticked."""
        page = self.client.get(address_of(address, *args))
        shown = form_of(page)
        assert shown, (address, page.status_code, page.get("Location"))
        fields = {**shown, **changes}
        return self.post(address, *args, **{key: value for key, value in fields.items() if value is not None})


def form_of(page: Any) -> dict[str, Any]:
    """Return the fields of the form on a page as a browser would send them; none where there is no form."""
    form = _Form()
    form.feed(page.content.decode())
    return form.fields


def address_of(name: str, *args: Any) -> str:
    """Return the address of that name; what begins with a slash is one already."""
    if name.startswith("/"):
        return name
    try:
        return reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return reverse(name, args=args)


def addresses() -> Iterator[tuple[str, str]]:
    """Yield the name (or else the route) and the route of each address that people can open."""
    for route, pattern in below(get_resolver().url_patterns, ""):
        if not NOT_FOR_PEOPLE.match(route):
            yield pattern.name or route, route


def below(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from below(pattern.url_patterns, f"{prefix}{pattern.pattern}")
        else:
            yield f"{prefix}{pattern.pattern}", pattern


def key_of(address: str) -> str:
    """Return the name of the address's pattern; its route where it has no name."""
    match = resolve(address)
    return match.url_name or match.route


#: What a parameter of a route can be that is no row's id.
_VALUES = {
    "order": "replay", "handler": "log", "provider": "generic_hmac", "key": "email", "provider_id": "sso",
    "app_label": "integrations", "url": "nowhere/", "content_type_id": "1",
}  # fmt: skip


def filled(route: str, site: Site) -> Iterator[str]:
    """Yield addresses of ``route``: for each of two rows where it names one."""
    route = re.sub(r"\^?\(\?P<(\w+)>[^()]*\)/?\$?", r"<str:\1>/", route).replace("//", "/")
    found = re.match(r"admin/(\w+)/(\w+)/", route)
    model = apps.get_model(*found.groups()) if found and "<" in route and found[1] in _APPS else None
    ids = list(model._base_manager.values_list("pk", flat=True)[:2]) if model else []
    for pk in ids or ["1"]:
        values = {**_VALUES, "variant": site.id("variant"), "secret": uuid4()}
        yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda name: str(values.get(name[1], pk)), route)  # noqa: B023


class _Form(HTMLParser):
    """Reads what a browser would send of the page's own form: that of a row, or else the one in the main part."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, Any] = {}
        self._is_inside = False
        self._select, self._textarea = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self._is_inside = (values.get("id") or "").endswith("_form")
        name = values.get("name") or ""
        if not self._is_inside or "__prefix__" in name or "disabled" in values:
            return
        reader: Callable[..., None] | None = getattr(self, f"_start_{tag}", None)
        if reader and (name or tag == "option"):
            reader(name, values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea] += data.removeprefix("\n") if not self.fields[self._textarea] else data

    def _start_input(self, name: str, values: dict[str, str | None]) -> None:
        kind, value = values.get("type", "text"), values.get("value") or ""
        if kind in {"submit", "button", "file", "image"} or (kind in {"checkbox", "radio"} and "checked" not in values):
            return
        if kind == "checkbox" and name in self.fields:
            self.fields[name] = [*self.fields[name], value]
        else:
            self.fields[name] = [value or "on"] if kind == "checkbox" else value

    def _start_textarea(self, name: str, values: dict[str, str | None]) -> None:
        self._textarea, self.fields[name] = name, ""

    def _start_select(self, name: str, values: dict[str, str | None]) -> None:
        self._select = name
        self._is_many = "multiple" in values
        self._is_first = True

    def _start_option(self, name: str, values: dict[str, str | None]) -> None:
        value = values.get("value") or ""
        if not self._select:
            return
        if self._is_many and "selected" in values:
            self.fields[self._select] = [*self.fields.get(self._select, []), value]
        elif not self._is_many and ("selected" in values or self._is_first):
            self.fields[self._select] = value
        self._is_first = False
