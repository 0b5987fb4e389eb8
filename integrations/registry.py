"""Things that are found by a key: providers and handlers. A key taken twice stops the start-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import RLock
from typing import Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

T = TypeVar("T")


class Registry(Generic[T]):
    """Keys and what stands behind them, filled on first use by ``load``.

    Safe to use from several threads: who asks while another one loads waits, and sees all entries or none.
    """

    def __init__(self, noun: str, load: Callable[[], None]) -> None:
        self._noun = noun
        self._load = load
        self._loaded = False
        self._loading = False
        self._lock = RLock()  # the modules that are being loaded may ask the registry themselves
        self._entries: dict[str, T] = {}

    def register(self, key: str) -> Callable[[T], T]:
        """Return a function that enters what it is given under ``key``; usable as a decorator."""

        def enter(entry: T) -> T:
            with self._lock:
                if key in self._entries:
                    raise ImproperlyConfigured(f"{self._noun} {key!r} is registered twice")
                self._entries[key] = entry
            return entry

        return enter

    def get(self, key: str) -> T | None:
        """Return the entry of ``key``, or None."""
        self.load()
        return self._entries.get(key)

    def __getitem__(self, key: str) -> T:
        self.load()
        return self._entries[key]

    def __contains__(self, key: object) -> bool:
        self.load()
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys in alphabetical order."""
        self.load()
        return iter(sorted(self._entries))

    def load(self) -> None:
        """Import the modules that register entries; a second call does nothing, unless the first has failed."""
        if self._loaded:
            return
        with self._lock:
            if self._loaded or self._loading:
                return
            self._loading = True
            try:
                self._load()
                self._loaded = True
            finally:
                self._loading = False


def load_handlers() -> None:
    """Import the ``handlers`` module of every installed app."""
    autodiscover_modules("handlers")
