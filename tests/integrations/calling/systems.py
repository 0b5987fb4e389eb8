"""An outside system on loopback: a real HTTP server that answers what a test says, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from integrations.models import Connection


@dataclass(frozen=True)
class Sent:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass
class System:
    """Answers 200 and ``{}`` until it is told otherwise; ``answering`` makes the answer (status, JSON) of a request."""

    NETWORKS: ClassVar[list[Any]] = [ip_network("127.0.0.0/8")]

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    requests: list[Sent] = field(default_factory=list)
    answering: Callable[[Sent], tuple[int, Any]] | None = None

    def answers(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __enter__(self) -> System:
        system = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = Sent(self.command, self.path, dict(self.headers.items()), body)
                system.requests.append(sent)
                status, body = system.status, system.body
                if system.answering is not None:
                    status, value = system.answering(sent)
                    body = json.dumps(value).encode()
                self.send_response(status)
                for name, value in system.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server asks for

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def connection(self, name: str, **values: Any) -> Connection:
        """Make a connection to it, with a bearer token."""
        usual = {"auth": "bearer", "credentials": {"token": "swordfish-token"}, "base_url": self.url}
        return Connection.objects.create(**{"name": name, **usual, **values})


@dataclass
class Authority:
    """An authorization server: hands out ``access-1``, ``access-2``, ... and takes each refresh token once."""

    refresh: str = "refresh-0"
    expires_in: Any = 3600
    seconds: float = 0.0
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, sent: Sent) -> tuple[int, Any]:
        """Answer one request for a token."""
        time.sleep(self.seconds)
        form = sent.form
        kind, _, pair = sent.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            form["client_id"], _, form["client_secret"] = b64decode(pair).decode().partition(":")
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"error": "unwell", "error_description": form.get("client_secret")}
        if form.get("client_secret") != "hush%2Fhush" and form.get("client_secret") != "hush/hush":
            return 401, {"error": "invalid_client", "error_description": form.get("client_secret")}
        token: dict[str, Any] = {"access_token": f"access-{len(self.asked)}", "expires_in": self.expires_in}
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh:
                return 400, {"error": "invalid_grant"}
            self.refresh = token["refresh_token"] = f"refresh-{len(self.asked)}"
        return 200, token
