"""The least that the same server can do: ``gunicorn --config python:hub.gunicorn bench.receive.hello``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import django

django.setup(set_prefix=False)  # the hub's worker class keeps statistics beside the requests


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read the body and say hello."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
