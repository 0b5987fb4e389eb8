"""One thing that needs an operator's attention, in words that they understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Level(StrEnum):
    """How bad it is: a ``problem`` keeps the hub from doing what it is for, a ``warning`` may be meant so."""

    PROBLEM = "problem"
    WARNING = "warning"


class Kind(StrEnum):
    """What it is about; of one level, those further up come first."""

    NO_WORKER = "no_worker"
    NO_ROOM = "no_room"
    SHEDDING = "shedding"
    DISK = "disk"
    SELF_CHECK = "self_check"
    QUEUE_AGE = "queue_age"
    ONLY_REFUSES = "only_refuses"
    OPEN_CIRCUIT = "open_circuit"
    DEAD_LETTERS = "dead_letters"
    BLOCKED_KEYS = "blocked_keys"
    SILENT_WORKER = "silent_worker"
    BACKLOG = "backlog"
    SILENCE = "silence"
    ACCEPT_ONLY = "accept_only"


class Page(StrEnum):
    """Where its list is: the history, or what was set up."""

    DELIVERIES = "deliveries"
    REJECTIONS = "rejections"
    BLOCKED_KEYS = "blocked_keys"
    WORKERS = "workers"
    WORKER = "worker"
    ENDPOINT = "endpoint"
    ENDPOINTS = "endpoints"
    ROUTE = "route"
    CONNECTION = "connection"
    EVENT = "event"
    OVERLOAD = "overload"
    SHAPE = "shape"
    SHAPES = "shapes"


@dataclass(frozen=True)
class Place:
    """A page, of the row ``pk`` or of a list that ``filters`` narrow."""

    page: Page
    pk: UUID | int | str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Concern:
    """What is wrong (``text``), what to do about it (``next_step``), and where to look.

    ``about`` names the endpoint, route or worker ("" is the whole hub). ``key`` stays the same for as long as the
    concern lasts. ``count`` is how much of it there is, for the order among equals; ``since`` when it began, None if
    that is not known.
    """

    kind: Kind
    level: Level
    about: str
    text: str
    next_step: str
    place: Place
    count: int = 0
    since: datetime | None = None

    @property
    def key(self) -> str:
        """What tells it from all others that may be there at one time."""
        filters = self.place.filters
        return f"{self.kind}:{self.place.pk or filters.get('route') or filters.get('endpoint') or self.about}"

    @property
    def rank(self) -> tuple[bool, int, int, str, str]:
        """What concerns are sorted by, the worst first."""
        return self.level != Level.PROBLEM, list(Kind).index(self.kind), -self.count, self.about, self.key
