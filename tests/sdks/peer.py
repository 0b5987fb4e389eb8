"""The libraries' side of the pipe: ``python -m tests.sdks.peer`` in their environment.

A request is a line of JSON: ``op`` ("sign", "verify", "load" or "version"), ``adapter``, ``method``, ``url``,
``headers``, ``body`` (base64), ``secret``, ``now`` and ``settings``. The answer is one too: ``accepted``; or what the
signer adds; or ``failed``, a traceback.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import traceback
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from tests.sdks.adapters import Adapter, Message, load

NOTHING = Message(method="POST", url="", headers={}, body=b"", secret="", now=0)


def answer(line: str, adapters: dict[str, Adapter]) -> dict[str, Any]:
    """Return the answer to one request."""
    asked = json.loads(line)
    adapter = adapters[asked["adapter"]]
    if asked["op"] == "version":
        return {"version": version(adapter.package)}
    if asked["op"] == "load":
        with suppress(Exception):  # an adapter begins with its imports, which is all that is wanted of it here
            adapter.verify(NOTHING)
        return {}
    message = Message(
        method=asked["method"],
        url=asked["url"],
        headers=asked["headers"],
        body=base64.b64decode(asked["body"]),
        secret=asked["secret"],
        now=asked["now"],
        settings=asked["settings"],
    )
    return _signed(adapter, message) if asked["op"] == "sign" else _verified(adapter, message)


def _verified(adapter: Adapter, message: Message) -> dict[str, Any]:
    try:
        return {"accepted": adapter.verify(message)}
    except Exception as exc:
        # A refusal has a name of its own; anything else is a mistake of the adapter and must not pass for one.
        if type(exc).__name__ in adapter.refusals:
            return {"accepted": False, "because": type(exc).__name__}
        raise


def _signed(adapter: Adapter, message: Message) -> dict[str, Any]:
    if adapter.sign is None:
        raise LookupError(f"{adapter.key} does not sign")
    signed = adapter.sign(message)
    body = message.body if signed.body is None else signed.body
    return {
        "headers": dict(signed.headers),
        "body": base64.b64encode(body).decode(),
        "url": signed.url or message.url,
        "secret": signed.secret or message.secret,
        "settings": {**message.settings, **signed.settings},
    }


def main() -> None:
    """Answer until the other side closes the pipe."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get between the answers
    adapters = load()
    for line in sys.stdin:
        try:
            answered = answer(line, adapters)
        except Exception:
            answered = {"failed": traceback.format_exc()}
        answers.write(json.dumps(answered) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
