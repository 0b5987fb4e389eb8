"""Objects in a bucket of Google Cloud Storage, through gcsfs.

https://gcsfs.readthedocs.io/
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from integrations.connectors.extras import extra
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.stores import Sockets, StoreKind, below
from integrations.connectors.system import SystemFailed, SystemRefused

T = TypeVar("T")

#: A key says where it is exchanged for a token. Nothing but Google's own address is asked: it is not guarded.
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_REFUSALS = (FileNotFoundError, PermissionError)
_GCS = StoreKind("Google Cloud Storage", "bucket", lambda exc: isinstance(exc, _REFUSALS))


def put(spec: ConnectionSpec, name: str, content: bytes, seconds: float) -> None:
    """Write ``content`` as ``name`` below the base URL's path, within ``seconds``.

    Raises `SystemFailed`, `SystemRefused`, `EgressRefused`, and `ClientMissing` without gcsfs.
    """

    async def run(system: Any) -> None:
        await system._pipe_file(f"{_folder(spec)}/{name}", content)

    _run(spec, run, seconds=seconds)


def get(spec: ConnectionSpec, name: str, seconds: float) -> bytes:
    """Return what is written as ``name``; raises as `put` does."""

    async def run(system: Any) -> bytes:
        return bytes(await system._cat_file(f"{_folder(spec)}/{name}"))

    return _run(spec, run, seconds=seconds)


def names(spec: ConnectionSpec, prefix: str, seconds: float) -> list[str]:
    """Return the names that begin with ``prefix``; raises as `put` does."""

    async def run(system: Any) -> list[str]:
        return below(_folder(spec), await system._find(_folder(spec), prefix=prefix))

    return _run(spec, run, seconds=seconds)


def _run(spec: ConnectionSpec, run: Callable[[Any], Awaitable[T]], *, seconds: float) -> T:
    extra("gcsfs.core", package="gcsfs")
    token = _token(spec, seconds=seconds)

    async def opened(sockets: Sockets) -> T:
        async with _system(spec, token, sockets) as system:
            return await run(system)

    return _GCS.call(spec, opened, seconds=seconds)


def _folder(spec: ConnectionSpec) -> str:
    return urlsplit(spec.base_url).path.strip("/")


def _token(spec: ConnectionSpec, *, seconds: float) -> Any:
    """Return credentials with a token; "anon" where the connection has no proof, as for an emulator."""
    if spec.auth == "none":
        return "anon"
    try:
        key = json.loads(spec.credentials["service_account"])
        # Keys of other types name commands to run and addresses to ask.
        is_plain = key["type"] == "service_account" and key["token_uri"] == _TOKEN_URI
    except (ValueError, KeyError, TypeError):
        is_plain = False
    if not is_plain:
        raise SystemRefused(f"service_account: it has to be a service account's key as JSON, with {_TOKEN_URI}")
    account = extra("google.oauth2.service_account", package="gcsfs")
    asked = extra("google.auth.transport.requests", package="gcsfs").Request()
    try:
        found = account.Credentials.from_service_account_info(key, scopes=[_SCOPE])
    except ValueError:
        raise SystemRefused("service_account: the key is none") from None
    try:
        found.refresh(partial(asked, timeout=seconds))
    except Exception as exc:
        kind = type(exc).__name__
    else:
        return found
    raise SystemFailed(f"Google gives no token ({kind})")


@asynccontextmanager
async def _system(spec: ConnectionSpec, token: Any, sockets: Sockets) -> AsyncIterator[Any]:
    connector = extra("aiohttp", package="gcsfs").TCPConnector(socket_factory=sockets)
    address = urlsplit(spec.base_url)
    # Not the class that gcsfs itself exports: that one also asks over gRPC, past the guard, what kind of bucket it is.
    system = extra("gcsfs.core", package="gcsfs").GCSFileSystem(
        project="none",  # only for lists and new buckets; else it is looked for in the environment
        token=token,
        endpoint_url=f"{address.scheme}://{address.netloc}",
        session_kwargs={"connector": connector},
        asynchronous=True,
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    session = await system._set_session()
    try:
        yield system
    finally:
        await session.close()
