"""An authenticator as people have it, and a client that uses one. The arithmetic is RFC 6238's, not the hub's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time

from django.contrib.auth.models import User
from django.test import Client

PASSWORD = "correct horse battery"
LOGIN, HOME = "/admin/login/", "/admin/"
SET_UP, AGAIN = "/admin/account/second-factor/set-up/", "/admin/account/again/"
SECOND = "/admin/login/second-factor/"
_SECRET = re.compile(r'id="totp-secret">([A-Z2-7]+)<')
_CODE = re.compile(r"<li>(\d{8})</li>")


def code(secret: str, *, ahead: int = 0) -> str:
    """Return what an authenticator with ``secret`` shows now, or that many periods of half a minute from now."""
    counter = struct.pack(">Q", int(time.time()) // 30 + ahead)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def log_in(user: User, client: Client | None = None) -> Client:
    """Give name and password, and no more."""
    client = client or Client()
    client.post(LOGIN, {"username": user.get_username(), "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def set_up(client: Client) -> tuple[str, list[str]]:
    """Set a second factor up in the admin; return its secret and the recovery codes that are shown."""
    client.post(f"{AGAIN}?next={SET_UP}", {"password": PASSWORD})
    page = client.get(SET_UP).content.decode()
    found = _SECRET.search(page)
    assert found, page[:500]
    answer = client.post(SET_UP, {"code": code(found[1])}, follow=True)
    return found[1], _CODE.findall(answer.content.decode())
