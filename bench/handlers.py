"""What the hub runs while it is measured."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from integrations.handlers import Context, InboundEvent, handler


@handler("bench.trivial")
def trivial(event: InboundEvent, context: Context) -> None:
    """Do nothing."""


@handler("bench.stamp")
def stamp(event: InboundEvent, context: Context) -> None:
    """Note when the handler was started, in seconds since the epoch."""
    context.log("started", at=time.time())


@handler("bench.wait")
def wait(event: InboundEvent, context: Context) -> None:
    """Ask the server at ``url`` of the config, which takes its time to answer."""
    address = urlsplit(context.config["url"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request("GET", address.path)
        connection.getresponse().read()
    finally:
        connection.close()
