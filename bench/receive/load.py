"""Requests that are signed beforehand, and wrk, which sends them as fast as they are answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Of every endpoint that is measured.
SECRET = "bench-" + "s" * 40
_SCRIPT = Path(__file__).with_name("post.lua")
_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What came of one run of wrk; ``p50_ms`` and ``p99_ms`` are of all answers."""

    accepted: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Answers a second, whichever they were."""
        return (self.accepted + self.refused) / self.seconds


def require_wrk() -> None:
    """End with a line that says what to install where wrk is absent."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed to send requests (Debian: apt install wrk)")


def body_of(number: int, size: int) -> bytes:
    """Return a push in GitHub's form, of exactly ``size`` bytes; each ``number`` is another."""
    push = {
        "ref": "refs/heads/main",
        "after": f"{number:040x}",
        "repository": {"id": 1, "full_name": "octo/hub"},
        "pusher": {"name": "octocat", "email": "octocat@example.com"},
        "commits": [{"id": f"{number:040x}", "message": "Measure", "added": ["README.md"], "distinct": True}],
        "filling": "",
    }
    bare = len(json.dumps(push))
    push["filling"] = "x" * (size - bare)
    return json.dumps(push).encode()


def prepare(path: Path, *, slug: str, count: int, size: int, forged: bool = False) -> None:
    """Write ``count`` signed requests for the endpoint into ``path``; a ``forged`` one's signature fits nothing."""
    with path.open("wb") as file:
        for number in range(count):
            body = body_of(number, size)
            request = _head(slug, body, forged=forged) + body
            file.write(b"%010d" % len(request) + request)


def lengths(path: Path) -> Iterator[int]:
    """Yield the length of each request in ``path``, in bytes."""
    with path.open("rb") as file:
        while head := file.read(10):
            yield int(head)
            file.seek(int(head), os.SEEK_CUR)


def send(url: str, path: Path, *, connections: int, seconds: float, again: bool = False) -> Load:
    """Send the requests in ``path`` for ``seconds``, ``again`` from the first where they run out.

    Raises `SystemExit` if they ran out too early or a connection broke: then nothing was measured.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "20s", "-s", str(_SCRIPT), url]
    done = subprocess.run(  # noqa: S603 - what is installed, with our own script
        [*command, "--", str(path), "again" if again else "once"],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + _MARGIN_SECONDS,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["ran_out"]:
        raise SystemExit(f"{path.name}: the prepared requests ran out; more of them with --most")
    if found["broken"]:
        raise SystemExit(f"{path.name}: {found['broken']} connections broke or timed out")
    return Load(
        accepted=found["requests"] - found["refused"],
        refused=found["refused"],
        seconds=found["microseconds"] / 1e6,
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
    )


def _head(slug: str, body: bytes, *, forged: bool) -> bytes:
    digest = hmac.new(b"another" if forged else SECRET.encode(), body, hashlib.sha256).hexdigest()
    lines = [
        f"POST /hooks/{slug} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: GitHub-Hookshot/044aadd",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-GitHub-Delivery: {uuid.uuid4()}",
        "X-GitHub-Event: push",
        "X-GitHub-Hook-ID: 292430182",
        f"X-Hub-Signature-256: sha256={digest}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
