"""An outside system on loopback: a real HTTP server that answers what a test says, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, ClassVar

from integrations.models import Connection


@dataclass(frozen=True)
class Sent:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class System:
    """Answers 200 and ``{}`` until it is told otherwise."""

    NETWORKS: ClassVar[list[Any]] = [ip_network("127.0.0.0/8")]

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    requests: list[Sent] = field(default_factory=list)

    def answers(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __enter__(self) -> System:
        system = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                system.requests.append(Sent(self.command, self.path, dict(self.headers.items()), body))
                self.send_response(system.status)
                for name, value in system.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(system.body)))
                self.end_headers()
                self.wfile.write(system.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server asks for

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
