"""A hub on loopback, and a laptop without a database that listens to it."""

from __future__ import annotations

import hmac
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.running_hub import RunningHub, running_hub, web_server

SECRET = "it's a secret to everybody"
SET_UP = f"""
from django.contrib.auth.models import Group, User
from knox.models import AuthToken
from tests.factories import make_endpoint, make_route
for slug in ("gh", "copy"):
    endpoint = make_endpoint(slug=slug, provider="github", secret={SECRET!r})
make_route(endpoint, name="note it")
make_endpoint(slug="wa", provider="meta", secret={SECRET!r}, batch="split")
for role in ("viewer", "administrator"):
    user = User.objects.create_user(role)
    user.groups.add(Group.objects.get(name=role))
    print(role, AuthToken.objects.create(user)[1])
"""


@dataclass
class Remote:
    """The other hub: its process, and a token for each role."""

    hub: RunningHub
    tokens: dict[str, str]

    def send(self, number: int, *, body: bytes | None = None, slug: str = "gh") -> dict[str, Any]:
        """Send event ``number`` to the endpoint ``slug``, signed as GitHub and Meta sign."""
        raw = body if body is not None else b'{"n":  %d, "text": "\xc3\xa9"}' % number
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": f"d-{number}",
            "X-Hub-Signature-256": signature(raw),
        }
        answer = httpx.post(f"{self.hub.url}/hooks/{slug}?n={number}", content=raw, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted


@dataclass(frozen=True)
class Done:
    """How a command ended: ``failure`` is the one line of one that failed, else ""."""

    out: str
    err: str
    failure: str


@dataclass
class Laptop:
    """Runs `manage.py listen`, in this process or another, where no database can be reached."""

    remote: Remote
    folder: Path
    to: str
    endpoint: str = "gh"
    role: str = "administrator"

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that finds no database."""
        return {
            **self.remote.hub.environment,
            "DATABASE_URL": "postgres://nobody:nothing@127.0.0.1:1/none",
            "HUB_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HUB_DATA_DIR": str(self.folder / "laptop"),
            "HUB_LISTEN_TOKEN": self.remote.tokens[self.role],
        }

    def arguments(self, *options: str) -> list[str]:
        return ["--from", self.remote.hub.url, "--endpoint", self.endpoint, "--to", self.to, *options]

    def command(self, *options: str) -> list[str]:
        """Return the command line of a process of its own."""
        return [sys.executable, "manage.py", "listen", *self.arguments(*options)]

    def listen(self, *options: str, token: str | None = None) -> Done:
        """Run it to its end in this process, in which pytest-django lets nobody touch a database."""
        out, err, failure = io.StringIO(), io.StringIO(), ""
        token = self.remote.tokens[self.role] if token is None else token
        with override_settings(HUB_DATA_DIR=self.folder / "laptop", HUB_LISTEN_TOKEN=token):
            try:
                call_command("listen", *self.arguments(*options), stdout=out, stderr=err)
            except CommandError as exc:
                failure = str(exc)
        return Done(out.getvalue(), err.getvalue(), failure)

    def once(self, *options: str) -> list[dict[str, Any]]:
        """Deliver what there is; return the lines of the table."""
        done = self.listen("--once", "--json", *options)
        assert done.failure == ""
        return [json.loads(line) for line in done.out.splitlines()]

    def cursor(self) -> str:
        """Return what is in the file that says how far it came; "" before the first look."""
        return "".join(path.read_text() for path in (self.folder / "laptop" / "listen").glob("*.json"))


@contextmanager
def remote_hub(folder: Path) -> Iterator[Remote]:
    """Yield a hub whose web server answers."""
    with running_hub(folder) as hub:
        remote = Remote(hub, dict(line.split() for line in hub.python(SET_UP).splitlines()))
        with web_server(hub, answers=lambda: _is_live(hub)):
            yield remote


def signature(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest()


def _is_live(hub: RunningHub) -> bool:
    try:
        return httpx.get(f"{hub.url}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
