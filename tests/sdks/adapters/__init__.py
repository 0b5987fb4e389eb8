"""What the providers' own libraries are asked to do, an adapter each.

Imported on both sides of the pipe: in the libraries' environment, where it runs, and in ours, which reads what there
is. So the libraries are imported inside the adapters, never at the top, and nothing but the standard library is used.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Message:
    """A request on its way to a library: names of headers in lower case, ``now`` in seconds since 1970."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    secret: str
    now: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Signed:
    """What a library's signer adds to a request; None: as it was."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    url: str | None = None
    #: The secret that verifies, of signers that make a key pair.
    secret: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Adapter:
    """One library for one provider: how it verifies and, if it can, signs.

    ``refusals`` are the names of the exceptions by which it says no; any other is a failure of the test itself.
    """

    provider: str
    case: str
    package: str
    verifies: str
    refusals: tuple[str, ...]
    verify: Callable[[Message], bool]
    signs: str = ""
    signs_with: str = ""
    sign: Callable[[Message], Signed] | None = None

    @property
    def key(self) -> str:
        return f"{self.provider}:{self.case}" if self.case else self.provider


ADAPTERS: dict[str, Adapter] = {}


def verifier(
    provider: str, *, package: str, call: str, case: str = "", refusals: tuple[str, ...] = ()
) -> Callable[[Callable[[Message], bool]], Callable[[Message], bool]]:
    """Register how the library ``package`` verifies, by its function ``call``."""

    def register(verify: Callable[[Message], bool]) -> Callable[[Message], bool]:
        adapter = Adapter(
            provider=provider, case=case, package=package, verifies=call, refusals=refusals, verify=verify
        )
        ADAPTERS[adapter.key] = adapter
        return verify

    return register


def signer(
    key: str, *, call: str, package: str = ""
) -> Callable[[Callable[[Message], Signed]], Callable[[Message], Signed]]:
    """Register how the library signs; ``package`` where that is another one than the library that verifies."""

    def register(sign: Callable[[Message], Signed]) -> Callable[[Message], Signed]:
        adapter = ADAPTERS[key]
        adapter.sign, adapter.signs, adapter.signs_with = sign, call, package or adapter.package
        return sign

    return register


def load() -> dict[str, Adapter]:
    """Return every adapter of the modules beside this one."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return ADAPTERS
