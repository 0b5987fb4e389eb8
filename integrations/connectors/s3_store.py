"""Objects in a bucket of S3, or of what speaks as S3 does, through s3fs.

https://s3fs.readthedocs.io/
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from integrations.connectors.extras import extra
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.stores import Sockets, StoreKind, below

#: What says that another call would be refused, too, as fsspec translates S3's answers.
_REFUSALS = (FileNotFoundError, PermissionError)
_S3 = StoreKind("S3", "bucket", lambda exc: isinstance(exc, _REFUSALS))


def put(spec: ConnectionSpec, name: str, content: bytes, seconds: float) -> None:
    """Write ``content`` as ``name`` below the base URL's path, in one request of at most ``seconds``.

    Raises `SystemFailed`, `SystemRefused`, `EgressRefused`, and `ClientMissing` without s3fs.
    """
    extra("s3fs", package="s3fs")

    async def run(sockets: Sockets) -> None:
        async with _system(spec, sockets) as system:
            await system._pipe_file(f"{_folder(spec)}/{name}", content)

    _S3.call(spec, run, seconds=seconds)


def get(spec: ConnectionSpec, name: str, seconds: float) -> bytes:
    """Return what is written as ``name``; raises as `put` does."""
    extra("s3fs", package="s3fs")

    async def run(sockets: Sockets) -> bytes:
        async with _system(spec, sockets) as system:
            return bytes(await system._cat_file(f"{_folder(spec)}/{name}"))

    return _S3.call(spec, run, seconds=seconds)


def names(spec: ConnectionSpec, prefix: str, seconds: float) -> list[str]:
    """Return the names that begin with ``prefix``; raises as `put` does."""
    extra("s3fs", package="s3fs")

    async def run(sockets: Sockets) -> list[str]:
        async with _system(spec, sockets) as system:
            return below(_folder(spec), await system._find(_folder(spec), prefix=prefix))

    return _S3.call(spec, run, seconds=seconds)


def _folder(spec: ConnectionSpec) -> str:
    return urlsplit(spec.base_url).path.strip("/")


@asynccontextmanager
async def _system(spec: ConnectionSpec, sockets: Sockets) -> AsyncIterator[Any]:
    address = urlsplit(spec.base_url)
    system = extra("s3fs", package="s3fs").S3FileSystem(
        key=spec.credentials["access_key_id"],
        secret=spec.credentials["secret_access_key"],
        endpoint_url=f"{address.scheme}://{address.netloc}",
        client_kwargs={"region_name": spec.auth_settings["region"]},
        config_kwargs={
            "s3": {"addressing_style": "path"},
            "connect_timeout": spec.connect_timeout,
            "read_timeout": spec.read_timeout,
            # Another try is the delivery's: a limit or an open circuit would not hold back the client's own.
            "retries": {"total_max_attempts": 1},
            "proxies": {},
            "connector_args": {"socket_factory": sockets},
        },
        asynchronous=True,
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    system.retries = 1
    client = await system.set_session()
    try:
        yield system
    finally:
        await client.close()
