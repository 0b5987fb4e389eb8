"""A provider's library as tests use it: it signs requests and says which it accepts."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from unittest import SkipTest

from integrations.contracts import InboundRequest
from integrations.verification.texts import with_headers
from tests.sdks import channel
from tests.sdks.adapters import Adapter, load
from tests.sdks.channel import Channel
from tests.sdks.javascript import ADAPTERS as JAVASCRIPT
from tests.sdks.javascript import JavaScriptAdapter

ADAPTERS: dict[str, Adapter | JavaScriptAdapter] = {**load(), **JAVASCRIPT}


@dataclass(frozen=True)
class SignedByLibrary:
    """A request as a library signed it, and the secret and the settings under which it is to be verified."""

    request: InboundRequest
    secret: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Library:
    """One adapter behind its pipe. Timestamps are of ``request.received_at``; most libraries look at the real clock."""

    adapter: Adapter | JavaScriptAdapter
    channel: Channel

    @classmethod
    def of(cls, key: str) -> Library:
        """Return the library of the adapter ``key``, imported and ready.

        Raises `SkipTest` where it is not installed, except in CI, where that is a failure.
        """
        library = cls.unloaded(key)
        # Imported before anything is signed: some are large, and some timestamps are good for seconds.
        library.channel.ask("load", key)
        return library

    @classmethod
    def unloaded(cls, key: str) -> Library:
        """Do the same without importing it."""
        adapter = ADAPTERS[key]
        in_python = isinstance(adapter, Adapter)
        missing = channel.missing_python() if in_python else channel.missing_javascript()
        if missing:
            raise AssertionError(missing) if os.environ.get("CI") else SkipTest(missing)
        return cls(adapter, channel.python() if in_python else channel.javascript())

    @property
    def version(self) -> str:
        """The version that is installed."""
        return str(self.channel.ask("version", self.adapter.key, package=self.adapter.package)["version"])

    def accepts(self, request: InboundRequest, secret: str, settings: Mapping[str, Any] | None = None) -> bool:
        """Return whether the library takes ``request`` for its provider's."""
        return bool(self._ask("verify", request, secret, settings)["accepted"])

    def sign(self, request: InboundRequest, secret: str, settings: Mapping[str, Any] | None = None) -> SignedByLibrary:
        """Return ``request`` as the library signs it."""
        answer = self._ask("sign", request, secret, settings)
        url = str(answer["url"])
        signed = replace(
            with_headers(request, answer["headers"]),
            url=url,
            query_string=url.partition("?")[2],
            body=base64.b64decode(answer["body"]),
        )
        return SignedByLibrary(signed, str(answer["secret"]), answer["settings"])

    def _ask(
        self, op: str, request: InboundRequest, secret: str, settings: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        return self.channel.ask(
            op,
            self.adapter.key,
            method=request.method,
            url=request.url,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=base64.b64encode(request.body).decode(),
            secret=secret,
            settings=dict(settings or {}),
            now=int(request.received_at.timestamp()),
        )
