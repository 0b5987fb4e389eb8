"""An OpenID Connect provider on loopback, as strict as a real one: codes once, PKCE, client secret, signed tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "hub", "the-secret-of-the-client"
_KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"}, private=True)


class Provider(ThreadingHTTPServer):
    """Vouches for whoever stands in ``person``; ``lies`` replaces claims of the signed token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.person: dict[str, Any] = {}
        self.lies: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()

    def settings(self) -> dict[str, Any]:
        """Return what is told of it in discovery."""
        return {
            "issuer": self.issuer,
            **{f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")},
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "jti": secrets.token_hex(8)}
        return jwt.encode({"alg": "RS256", "kid": "k1"}, {**claims, "sub": self.person["sub"], **self.lies}, _KEY)


class _Pages(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self.answer(self.server.settings())
        elif parts.path == "/keys":
            self.answer({"keys": [_KEY.as_dict(private=False)]})
        elif parts.path == "/authorization":
            self.authorize(query)
        elif parts.path == "/userinfo" and self.headers["Authorization"][7:] in self.server.tokens:
            self.answer(self.server.person)
        else:
            self.answer({"error": "invalid_token"}, 401)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        proof = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.server.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if self.headers["Authorization"] != f"Basic {proof}" or asked is None:
            self.answer({"error": "invalid_client"}, 401)
        elif asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            self.answer({"error": "invalid_grant"}, 400)
        else:
            token = secrets.token_hex(16)
            self.server.tokens.add(token)
            self.answer({"access_token": token, "token_type": "Bearer", "id_token": self.server.id_token()})

    def authorize(self, query: dict[str, str]) -> None:
        code = secrets.token_hex(16)
        self.server.codes[code] = query
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}")
        self.end_headers()

    def answer(self, value: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Start a provider, and end it."""
    with Provider() as provider:
        Thread(target=provider.serve_forever, daemon=True).start()
        try:
            yield provider
        finally:
            provider.shutdown()
