"""What the clients of stores of objects have in common: they run to their end in a call, and say what failed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from integrations.connectors.egress import EgressRefused
from integrations.connectors.guarded_sockets import guard
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import SystemFailed, SystemRefused

T = TypeVar("T")
Sockets = Callable[[Any], socket.socket]


@dataclass(frozen=True)
class StoreKind:
    """A kind of store: its ``name``, what its objects are in (a ``bucket``), and which errors are final."""

    name: str
    bucket: str
    is_final: Callable[[Exception], bool]

    def call(self, spec: ConnectionSpec, run: Callable[[Sockets], Awaitable[T]], *, seconds: float) -> T:
        """Return what ``run`` returns, called with what makes its sockets.

        Raises `SystemFailed`, `SystemRefused` and `EgressRefused`, whose texts hold nothing of what the store said.
        """
        refused: list[EgressRefused] = []
        try:
            return asyncio.run(_within(seconds, run(guard(spec, refused))))
        except Exception as exc:
            kind, is_final = type(exc).__name__, self.is_final(exc)
        if refused:
            raise refused[0]
        if is_final:
            raise SystemRefused(f"{self.name} refuses it ({kind}): no such {self.bucket}, or the key may not do that")
        raise SystemFailed(f"{self.name} cannot be reached, or does not take it ({kind})")


async def _within(seconds: float, awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, seconds)


def below(folder: str, paths: Iterable[str]) -> list[str]:
    """Return ``paths``, which begin with ``folder``, as names in it."""
    return sorted(path.removeprefix(f"{folder}/") for path in paths)
