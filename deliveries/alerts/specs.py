"""The kinds of alert rules, as data: what a threshold of each means, and what a rule starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_lazy, gettext_noop, ngettext_lazy

_HOUR = 3600
_QUARTER = 900
_WEEK = 7 * 24 * _HOUR


@dataclass(frozen=True)
class Spec:
    """One kind of rule.

    A ``threshold`` is a number of ``unit``, from ``least`` to ``most``. ``window_seconds`` is how far back it looks,
    None where it looks at what is now. ``scopes`` are what a rule can be narrowed to. Something has to be the case for
    ``for_seconds`` before it is told.
    """

    name: str
    summary: str
    unit: str
    threshold: float
    least: float = 0
    most: float = 1_000_000
    window_seconds: int | None = None
    scopes: tuple[str, ...] = ("endpoint", "route")
    for_seconds: int = 0
    #: What a threshold of 0 means, where it is no number.
    nought: str = ""

    def in_words(self, limit: float) -> str:
        """Return a threshold as people say it: "1 delivery", "50 % of the attempts"."""
        if not limit and self.nought:
            return gettext(self.nought)
        return str(AMOUNTS[self.unit] % {"count": 1 if limit == 1 else 2, "limit": f"{limit:,.10g}"})


#: What a threshold of each unit is called.
AMOUNTS: Mapping[str, Any] = {
    "workers": ngettext_lazy("%(limit)s worker", "%(limit)s workers", "count"),
    "seconds": ngettext_lazy("%(limit)s second", "%(limit)s seconds", "count"),
    "deliveries": ngettext_lazy("%(limit)s delivery", "%(limit)s deliveries", "count"),
    "requests": ngettext_lazy("%(limit)s request", "%(limit)s requests", "count"),
    "calls": ngettext_lazy("%(limit)s call", "%(limit)s calls", "count"),
    "keys": ngettext_lazy("%(limit)s key", "%(limit)s keys", "count"),
    "bodies": ngettext_lazy("%(limit)s body", "%(limit)s bodies", "count"),
    "changes": ngettext_lazy("%(limit)s change", "%(limit)s changes", "count"),
    "days": ngettext_lazy("%(limit)s day", "%(limit)s days", "count"),
    "% of the capacity": gettext_lazy("%(limit)s %% of the capacity"),
    "% of the attempts": gettext_lazy("%(limit)s %% of the attempts"),
    "% of the requests": gettext_lazy("%(limit)s %% of the requests"),
    "% of the provider's deadline": gettext_lazy("%(limit)s %% of the provider's deadline"),
    "% free": gettext_lazy("%(limit)s %% free"),
}

_OF_ENDPOINTS = ("endpoint",)

SPECS: Mapping[str, Spec] = {
    "worker_gone": Spec(
        gettext_noop("Workers gone"),
        gettext_noop("Fewer worker processes are alive than the threshold, or one went silent at its work."),
        "workers",
        1,
        least=1,
        most=1000,
        scopes=(),
        for_seconds=60,
    ),
    "self_check": Spec(
        gettext_noop("Self-check"),
        gettext_noop(
            "The event that the hub sends itself has not come out at the other end for so long; needs "
            "HUB_SELF_CHECK_SECONDS."
        ),
        "seconds",
        240,
        least=60,
        most=86_400,
        scopes=(),
    ),
    "queue_age": Spec(
        gettext_noop("Old queue"),
        gettext_noop("The oldest delivery that could run has waited for longer than the threshold."),
        "seconds",
        300,
        least=60,
        for_seconds=60,
    ),
    "queue_depth": Spec(
        gettext_noop("Full queue"),
        gettext_noop("So much of the capacity that the rule sets is waiting for a worker."),
        "% of the capacity",
        80,
        least=1,
        most=100,
        for_seconds=60,
    ),
    "dead_letters": Spec(
        gettext_noop("Dead letters"),
        gettext_noop("A route has so many deliveries that gave up, or more."),
        "deliveries",
        1,
        least=1,
        most=1000,
    ),
    "failure_rate": Spec(
        gettext_noop("Failing route"),
        gettext_noop("Of a route's attempts in the window (ten at least) so many failed, or more."),
        "% of the attempts",
        50,
        least=1,
        most=100,
        window_seconds=_QUARTER,
        for_seconds=120,
    ),
    "refusals": Spec(
        gettext_noop("Refusals"),
        gettext_noop("Of the requests of an endpoint in the window so many were refused, or more, and ten at least."),
        "% of the requests",
        50,
        least=1,
        most=100,
        window_seconds=_QUARTER,
        scopes=_OF_ENDPOINTS,
        for_seconds=120,
    ),
    "shedding": Spec(
        gettext_noop("Shedding"),
        gettext_noop(
            "An endpoint answered 503 to so many requests or more for want of room, in the hours that the window "
            "reaches into."
        ),
        "requests",
        1,
        least=1,
        window_seconds=_QUARTER,
        scopes=_OF_ENDPOINTS,
    ),
    "ack_deadline": Spec(
        gettext_noop("Slow answers"),
        gettext_noop(
            "99 % of an endpoint's answers in the window (20 at least) took up to so much of what its provider waits."
        ),
        "% of the provider's deadline",
        80,
        least=1,
        most=1000,
        window_seconds=_QUARTER,
        scopes=_OF_ENDPOINTS,
        for_seconds=120,
    ),
    "silence": Spec(
        gettext_noop("Silence"),
        gettext_noop(
            "An endpoint heard less than the threshold in the window; with 0, less than a tenth of the least of the "
            "same hours of four weeks."
        ),
        "requests",
        0,
        window_seconds=_HOUR,
        scopes=_OF_ENDPOINTS,
        nought=gettext_noop("less than a tenth of the weeks before"),
    ),
    "circuit_open": Spec(
        gettext_noop("Outside system away"),
        gettext_noop("A connection is not called, as so many calls or more failed in a row."),
        "calls",
        1,
        least=1,
        scopes=(),
        for_seconds=120,
    ),
    "blocked_keys": Spec(
        gettext_noop("Ordering keys stand still"),
        gettext_noop("So many keys or more stand still behind what gave up."),
        "keys",
        1,
        least=1,
        most=1000,
        scopes=(),
        for_seconds=60,
    ),
    "drift": Spec(
        gettext_noop("Payloads have changed"),
        gettext_noop(
            "In an event type fields are new, are gone or have another type, so many or more in the window, or an "
            "endpoint sends types that never came before; until somebody accepts the shape."
        ),
        "changes",
        1,
        least=1,
        most=1000,
        window_seconds=_WEEK,
        scopes=_OF_ENDPOINTS,
    ),
    "changed_duplicates": Spec(
        gettext_noop("Other bodies under a known id"),
        gettext_noop("So many events or more of an endpoint came again with another body in the window."),
        "bodies",
        1,
        least=1,
        most=1000,
        window_seconds=_HOUR,
        scopes=_OF_ENDPOINTS,
    ),
    "secret_expiry": Spec(
        gettext_noop("Secret about to expire"),
        gettext_noop("The last secret of an endpoint expires within so many days."),
        "days",
        14,
        least=1,
        most=365,
        scopes=_OF_ENDPOINTS,
    ),
    "certificate_expiry": Spec(
        gettext_noop("Certificate about to expire"),
        gettext_noop("The certificate of the hub's public address is valid for fewer days."),
        "days",
        14,
        least=1,
        most=365,
        scopes=(),
    ),
    "disk_space": Spec(
        gettext_noop("Little disk space"),
        gettext_noop(
            "Less of the disk that holds the SQLite database is free. "
            "A PostgreSQL server's is seen with HUB_DATABASE_DIR."
        ),
        "% free",
        10,
        least=1,
        most=99,
        scopes=(),
        for_seconds=60,
    ),
    "disk_forecast": Spec(
        gettext_noop("Disk about to fill"),
        gettext_noop(
            "If events come as in the last seven days, the database's disk is full in fewer days. For PostgreSQL it "
            "needs HUB_DATABASE_DISK_BYTES."
        ),
        "days",
        14,
        least=1,
        most=365,
        scopes=(),
    ),
}
#: How old a rule's window can make it look.
LONGEST_WINDOW_SECONDS = _WEEK


def kind_choices() -> list[tuple[str, str]]:
    """Return (key, name) of every kind, for a model's field."""
    return [(key, spec.name) for key, spec in SPECS.items()]
