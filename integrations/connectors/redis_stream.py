"""Redis streams: a guarded connection, each message once, one deadline over all of it, errors without values.

The client is redis-py, which is an extra: https://redis.readthedocs.io/
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any

import httpcore
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.connectors.deadline import cut_off
from integrations.connectors.egress import EgressRefused, Resolve, is_allowed, refusal, resolve
from integrations.connectors.extras import extra
from integrations.connectors.kinds import ConnectionKind, kinds
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import System, SystemFailed, SystemRefused

_ADDRESS = re.compile(
    r"(?P<scheme>rediss?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/(?P<db>[0-9]{1,4})?)?"
)
_PORT = 6379
#: So long a key is remembered: longer than a delivery is tried, and nobody replays for ever.
REMEMBERED_SECONDS = 7 * 24 * 3600
#: What a server says of orders that it will refuse each time.
_FINAL = ("WRONGTYPE", "NOPERM", "WRONGPASS", "NOAUTH", "MOVED", "CROSSSLOT", "ERR invalid", "ERR unknown command")

# One script, so that a message and the memory of it are written both or not at all.
_ADD_ONCE = """
local known = redis.call('GET', KEYS[2])
if known then return {0, known} end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
redis.call('SET', KEYS[2], id, 'EX', ARGV[2])
return {1, id}
"""


def add_once(
    spec: ConnectionSpec,
    stream: str,
    fields: Mapping[str, str | bytes],
    *,
    key: str,
    longest: int,
    seconds: float,
    resolve: Resolve = resolve,
) -> tuple[str, bool]:
    """Append ``fields`` to ``stream`` and return its id there, and whether it is new.

    A ``key`` sent before, in the last `REMEMBERED_SECONDS`, adds nothing. The stream keeps about ``longest`` messages.
    ``stream`` has no braces, so that in a cluster the memory of it is on the same node. Raises `SystemRefused`,
    `EgressRefused`, `ClientMissing`, or `SystemFailed` for what another try may not meet again.
    """
    flat = [part for pair in fields.items() for part in pair]
    order = ("EVAL", _ADD_ONCE, 2, stream, f"{{{stream}}}:sent:{key}", longest, REMEMBERED_SECONDS, *flat)
    is_new, found = _ordered(spec, order, seconds=seconds, resolve=resolve)
    return found.decode() if isinstance(found, bytes) else str(found), bool(is_new)


def _probe(system: System, _path: str) -> str:
    system.tried(
        "PING", lambda seconds: _ordered(system.spec, ("PING",), seconds=seconds, resolve=resolve), is_safe=True
    )
    return "answered PING"


def _ordered(spec: ConnectionSpec, order: tuple[Any, ...], *, seconds: float, resolve: Resolve) -> Any:
    """Return what the server answers to one order, over a connection of its own, within ``seconds``."""
    redis = extra("redis", package="redis")
    place = _place(spec.base_url)
    with ExitStack() as stack:
        ends_at = time.monotonic() + seconds

        def watch(sock: socket.socket) -> None:
            stack.enter_context(cut_off(sock.fileno(), ends_at - time.monotonic()))

        connection = _guarded()[place["scheme"]](
            reach=_reach(spec, seconds, resolve),
            watch=watch,
            host=place["host"].strip("[]"),
            port=int(place["port"] or _PORT),
            db=int(place["db"] or 0),
            username=spec.credentials.get("username"),
            password=spec.credentials.get("password"),
            socket_timeout=min(seconds, spec.read_timeout),
            protocol=2,  # in the later one a server may send the client on to another address
            driver_info=None,
        )
        stack.callback(connection.disconnect)
        is_connected = False
        try:
            connection.connect()
            is_connected = True
            connection.send_command(*order)
            return connection.read_response()
        except redis.AuthenticationError:
            raise SystemRefused("the server refuses the user or the password") from None
        except redis.ResponseError as exc:
            raise _refusal(redis, exc) from None
        except (redis.RedisError, httpcore.ConnectError, httpcore.ConnectTimeout, OSError) as exc:
            text = f"the server cannot be reached, or broke off ({type(exc).__name__})"
            raise SystemFailed(text, was_not_done=not is_connected) from None


def _refusal(redis: Any, exc: Exception) -> SystemFailed | SystemRefused:
    """Return what to raise for an error that the server answered; its text can quote what was sent."""
    said = str(exc)
    if isinstance(exc, redis.exceptions.MovedError):
        return SystemRefused("the server is one node of a cluster, and the stream is on another")
    if isinstance(exc, redis.exceptions.NoPermissionError) or said.startswith(_FINAL) or "WRONGTYPE" in said:
        return SystemRefused("the server refuses it for good: the key is no stream, or the user may not")
    return SystemFailed("the server did not take it", was_not_done=True)


def _reach(spec: ConnectionSpec, seconds: float, resolve: Resolve) -> Callable[[str, int], socket.socket]:
    """Return what connects to a host: to one of the very addresses that were checked."""

    def connect(host: str, port: int) -> socket.socket:
        ends_at = time.monotonic() + min(seconds, spec.connect_timeout)
        addresses = resolve(host, port, min(seconds, spec.connect_timeout))
        for address in addresses:
            if not is_allowed(address, spec.allow):
                raise EgressRefused(refusal(host, address))
        failure: OSError = OSError("the name has no address")
        for address in addresses:
            try:
                return socket.create_connection((str(address), port), max(0.01, ends_at - time.monotonic()))
            except OSError as exc:
                failure = exc
        raise failure

    return connect


@cache
def _guarded() -> dict[str, Any]:
    """Return the classes of connections by scheme: each goes where ``reach`` leads, and ``watch`` sees its socket."""
    library = extra("redis", package="redis")

    class Guarded(library.Connection):  # type: ignore[misc, name-defined]
        def __init__(self, *, reach: Any, watch: Any, **options: Any) -> None:
            self._reach, self._watch = reach, watch
            super().__init__(**options)

        def _connect(self) -> socket.socket:
            sock: socket.socket = self._reach(self.host, int(self.port))
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._watch(sock)
            sock.settimeout(self.socket_timeout)
            return sock

    class GuardedTls(library.SSLConnection, Guarded):  # type: ignore[misc, name-defined]
        """TLS over the guarded socket; the certificate has to prove the name, not the address."""

    return {"redis": Guarded, "rediss": GuardedTls}


def _place(address: str) -> dict[str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"] or _PORT) not in range(1, 65536):
        raise ValidationError(gettext("This has to be redis://HOST:PORT/NUMBER, or rediss:// for TLS."))
    return found.groupdict("")


def _check(value: str) -> None:
    _place(value)


kinds.register("redis")(
    ConnectionKind(
        "Redis (streams)",
        "rediss://redis.example.com:6379/0",
        "basic",
        proofs=("none", "basic"),
        form=_check,
        is_http=False,
        probe=_probe,
    )
)
