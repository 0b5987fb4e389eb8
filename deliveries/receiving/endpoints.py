"""Endpoints as the receiving path knows them: loaded once for many requests, right within a second."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from ipaddress import ip_network
from typing import Any, Generic, NoReturn, TypeVar
from uuid import UUID

import structlog
from cachetools import LRUCache, TTLCache
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from deliveries.receiving.refusals import Unavailable
from deliveries.receiving.source import Network
from integrations.contracts import InboundRequest
from integrations.errors import ReferenceMissing, VerificationFailed
from integrations.models import Endpoint, EndpointState, Route, Secret
from integrations.providers import Handshake, Provider, providers
from integrations.providers.handshakes import Computed
from integrations.verification import Scheme

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: How old a loaded endpoint may be, counted from the start of its load; an operator's change shows after that.
FRESH_SECONDS = 0.8
#: So much of that time an entry is used beyond it while one thread loads it anew: none of the others waits.
_OVERTIME = 1.2
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
_RETRY_SECONDS = 30


@dataclass(frozen=True)
class LiveSecret:
    """One live secret, resolved."""

    id: UUID
    value: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True)
class LiveEndpoint:
    """An endpoint with all that it takes to judge and to store a request."""

    row: Endpoint
    preset: Provider
    scheme: Scheme
    secrets: Sequence[LiveSecret] = ()
    routes: Sequence[Route] = ()
    networks: Sequence[Network] = ()

    @property
    def handshake(self) -> Handshake | None:
        """The provider's handshake, if it has one."""
        return self.preset.handshake

    def handshake_with(self, secrets: Sequence[LiveSecret]) -> Handshake | None:
        """Return the handshake, with ``secrets`` at hand where its answer is computed with them."""
        found = self.preset.handshake
        return found.with_keys([secret.value for secret in secrets]) if isinstance(found, Computed) else found

    @cached_property
    def signs_id(self) -> bool:
        """Whether the proof covers the event's id."""
        return self.preset.signs_id(self.row.settings)

    @property
    def is_paused(self) -> bool:
        """Whether deliveries are held."""
        return self.row.state == EndpointState.PAUSED

    @property
    def encrypts_bodies(self) -> bool:
        """Whether bodies are stored encrypted."""
        return self.row.sensitive or bool(self.preset.sensitive_fields)

    def secrets_at(self, moment: datetime) -> list[LiveSecret]:
        """Return those that have not expired by ``moment``, the newest first."""
        return [secret for secret in self.secrets if secret.expires_at is None or secret.expires_at > moment]


class _Unusable(Scheme):
    """Refuses everything: the provider is not installed, or its preset cannot work with the endpoint's settings."""

    kind = "unusable"

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        raise VerificationFailed("settings_unusable")

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> NoReturn:
        raise ValueError("The provider's preset cannot work with the endpoint's settings.")

    def check_key(self, key: str) -> NoReturn:
        raise ValueError("The provider's preset cannot work with the endpoint's settings.")


class EndpointCache(Generic[T]):
    """What is loaded by slug, also for the slugs that have nothing; bounded in number, safe between threads."""

    def __init__(
        self,
        load: Callable[[str], T],
        *,
        most: int = 2048,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._entries: LRUCache[str, tuple[float, T]] = LRUCache(most)
        self._lock = threading.Lock()
        self._generation = 0
        # One load for all who wait for the same slug; slugs that share a lock wait for each other, no more.
        self._loading = [threading.Lock() for _ in range(64)]

    def get(self, slug: str) -> T:
        """Return what is at ``slug``; the answer is at most ``fresh_seconds`` old, and a fifth more during a load."""
        entry = self._known(slug, self._fresh_seconds)
        if entry is None:
            loading = self._loading[hash(slug) % len(self._loading)]
            late = self._known(slug, self._fresh_seconds * _OVERTIME)
            if not loading.acquire(blocking=late is None) and late is not None:
                return late[1]
            try:
                entry = self._known(slug, self._fresh_seconds) or self._loaded(slug)
            finally:
                loading.release()
        return entry[1]

    def last(self, slug: str) -> T | None:
        """Return what was at ``slug`` when it was loaded the last time; None if that is not known. Never loads."""
        entry = self._known(slug, float("inf"))
        return entry[1] if entry is not None else None

    def forget(self) -> None:
        """Load all anew; a load that is under way is used by those who wait for it and not kept."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def _known(self, slug: str, seconds: float) -> tuple[float, T] | None:
        """Return what was loaded less than ``seconds`` ago."""
        with self._lock:
            entry = self._entries.get(slug)
        return entry if entry is not None and self._clock() - entry[0] < seconds else None

    def _loaded(self, slug: str) -> tuple[float, T]:
        # The clock is read first: what is changed while the rows are read must not count as fresh from its end.
        entry_time, generation = self._clock(), self._generation
        entry = (entry_time, self._load(slug))
        with self._lock:
            if generation == self._generation:
                self._entries[slug] = entry
        return entry


def load(slug: str) -> LiveEndpoint | None:
    """Return the endpoint at ``slug`` from the database; None if none answers there. Raises as `live` does."""
    row = Endpoint.objects.receiving().filter(slug=slug).first()
    return None if row is None else live(row)


def live(row: Endpoint) -> LiveEndpoint:
    """Return ``row`` with its preset, live secrets and enabled routes, as they are in the database now.

    Raises `Unavailable` if a secret or the settings cannot be decrypted: the sender shall come again once the key is
    back.
    """
    try:
        preset, scheme = _preset_and_scheme(row)
        secrets = [_resolved(secret) for secret in row.secrets.live(timezone.now())]
    except ImproperlyConfigured as exc:
        log.error("endpoint.secrets_unreadable", endpoint=row.slug, reason=str(exc))
        raise Unavailable(wait_seconds=_RETRY_SECONDS) from exc
    return LiveEndpoint(
        row=row,
        preset=preset,
        scheme=scheme,
        secrets=[secret for secret in secrets if secret],
        routes=list(row.routes.enabled()),
        networks=[ip_network(text) for text in row.allowed_networks],
    )


def _load_shared(_: str) -> list[tuple[str, frozenset[str]]]:
    """Return the slugs of the endpoints at the shared URL, the oldest first, each with the headers that it knows."""
    found = []
    for row in Endpoint.objects.at_shared_url().only("slug", "provider", "settings"):
        preset = providers.get(row.provider)
        try:
            headers = preset.recognised_headers(_readable_settings(row)) if preset else frozenset()
        except ValueError:
            continue  # `live` says so of each
        if headers:
            found.append((row.slug, headers))
    return found


def _readable_settings(row: Endpoint) -> Mapping[str, Any]:
    """Return the settings, or none if no key decrypts them: `live` then lets the sender come again."""
    try:
        settings: Mapping[str, Any] = row.settings
    except ImproperlyConfigured:
        return {}
    return settings


_cache = EndpointCache(load)
_shared = EndpointCache(_load_shared, most=1)


def at(slug: str) -> LiveEndpoint | None:
    """Return the endpoint that answers at ``/hooks/<slug>``, or None."""
    return _cache.get(slug) if _SLUG.fullmatch(slug) else None


def last_priority(slug: str) -> int | None:
    """Return the priority that the endpoint had when it was loaded the last time; None if there was none."""
    found = _cache.last(slug)
    return None if found is None else found.row.priority


def recognising(request: InboundRequest) -> list[str]:
    """Return the slugs of the endpoints at the shared URL that know a header of ``request``, best match first.

    The match counts the headers: of Gitea and GitHub, whose headers Gitea sends too, it is Gitea.
    """
    present = {name.lower() for name in request.headers}
    matches = [(len(headers & present), slug) for slug, headers in _shared.get("") if headers & present]
    return [slug for _, slug in sorted(matches, key=lambda match: -match[0])]


def forget() -> None:
    """Load every endpoint anew at its next request, in this process."""
    _cache.forget()
    _shared.forget()


@receiver([post_save, post_delete], sender=Endpoint)
@receiver([post_save, post_delete], sender=Secret)
@receiver([post_save, post_delete], sender=Route)
def _changed(**kwargs: Any) -> None:  # noqa: ARG001 - a signal's signature
    # Now, for the transaction that made the change; and once it is committed, for what others loaded meanwhile.
    forget()
    transaction.on_commit(forget)


def _preset_and_scheme(row: Endpoint) -> tuple[Provider, Scheme]:
    preset = providers.get(row.provider)
    try:
        if preset is not None:
            return preset, preset.scheme_for(row.settings)
    except ValueError:
        _warn_once("endpoint.settings_unusable", key=row.pk, endpoint=row.slug, provider=row.provider)
    return Provider(name=row.provider, scheme=_Unusable()), _Unusable()


def _resolved(secret: Secret) -> LiveSecret | None:
    try:
        return LiveSecret(secret.pk, secret.resolved(), secret.expires_at)
    except ReferenceMissing as exc:
        _warn_once("secret.reference_missing", key=secret.pk, reference=str(exc))
        return None


_warned: TTLCache[tuple[str, UUID], bool] = TTLCache(1000, ttl=60)
_warned_lock = threading.Lock()


def _warn_once(event: str, *, key: UUID, **fields: str) -> None:
    """Log at most once a minute for each row: endpoints are loaded more often than that."""
    with _warned_lock:
        if (event, key) in _warned:
            return
        _warned[event, key] = True
    log.warning(event, **fields)
