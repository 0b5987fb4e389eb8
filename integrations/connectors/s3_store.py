"""Objects in a bucket of S3, or of what speaks as S3 does, through s3fs.

https://s3fs.readthedocs.io/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from integrations.connectors.egress import EgressRefused
from integrations.connectors.extras import extra
from integrations.connectors.guarded_sockets import guard
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import SystemFailed, SystemRefused

#: What says that another call would be refused, too, as fsspec translates S3's answers.
_REFUSALS = (FileNotFoundError, PermissionError)


def put(spec: ConnectionSpec, name: str, content: bytes, seconds: float) -> None:
    """Write ``content`` as ``name`` below the base URL's path, in one request of at most ``seconds``.

    Raises `SystemFailed`, `SystemRefused`, `EgressRefused`, and `ClientMissing` without s3fs.
    """
    s3fs = extra("s3fs", package="s3fs")
    refused: list[EgressRefused] = []
    try:
        asyncio.run(asyncio.wait_for(_put(s3fs, spec, name, content, guard=guard(spec, refused)), seconds))
    except Exception as exc:
        kind, is_final = type(exc).__name__, isinstance(exc, _REFUSALS)
    else:
        return
    if refused:
        raise refused[0]
    if is_final:
        raise SystemRefused(f"S3 refuses it ({kind}): no such bucket, or the key may not write to it")
    raise SystemFailed(f"S3 cannot be reached, or does not take it ({kind})")


async def _put(s3fs: Any, spec: ConnectionSpec, name: str, content: bytes, *, guard: Callable[..., Any]) -> None:
    address = urlsplit(spec.base_url)
    system = s3fs.S3FileSystem(
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
            "connector_args": {"socket_factory": guard},
        },
        asynchronous=True,
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    system.retries = 1
    client = await system.set_session()
    try:
        await system._pipe_file(f"{address.path.strip('/')}/{name}", content)
    finally:
        await client.close()
