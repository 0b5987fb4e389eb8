"""What a handler is given, where reading all of it costs something: each part when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from integrations.contracts import InboundEvent


class LateInboundEvent(InboundEvent):
    """An event some of whose fields are read at the first look, in the thread that looks: most handlers need few.

    A copy with `dataclasses.replace` has read all of them.
    """

    @classmethod
    def of(cls, known: Mapping[str, Any], late: Mapping[str, Callable[[], Any]]) -> Self:
        """Return the event with the fields in ``known``, and those in ``late`` as each function returns them."""
        event = object.__new__(cls)
        event.__dict__.update(known, _late=late)
        return event

    def __getattr__(self, name: str) -> Any:
        """Read a field that nobody has looked at; raises what its function raises, each time."""
        read = self.__dict__.get("_late", {}).get(name)
        if read is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = read()
        return value
