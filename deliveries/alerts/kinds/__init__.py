"""How each kind of rule finds what it is about: a function here, and its words in `deliveries.alerts.specs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from deliveries.alerts.finding import Finding
from deliveries.alerts.kinds import (
    ack_deadline,
    blocked_keys,
    certificate_expiry,
    changed_duplicates,
    circuit_open,
    dead_letters,
    disk_forecast,
    disk_space,
    drift,
    failure_rate,
    queue_age,
    queue_depth,
    refusals,
    secret_expiry,
    self_check,
    shedding,
    silence,
    worker_gone,
)
from deliveries.alerts.look import Look
from deliveries.models import AlertRule

Finder = Callable[[AlertRule, Look], Iterator[Finding]]

FINDERS: Mapping[str, Finder] = {
    "worker_gone": worker_gone.find,
    "self_check": self_check.find,
    "queue_age": queue_age.find,
    "queue_depth": queue_depth.find,
    "dead_letters": dead_letters.find,
    "failure_rate": failure_rate.find,
    "refusals": refusals.find,
    "shedding": shedding.find,
    "ack_deadline": ack_deadline.find,
    "silence": silence.find,
    "circuit_open": circuit_open.find,
    "blocked_keys": blocked_keys.find,
    "drift": drift.find,
    "changed_duplicates": changed_duplicates.find,
    "secret_expiry": secret_expiry.find,
    "certificate_expiry": certificate_expiry.find,
    "disk_space": disk_space.find,
    "disk_forecast": disk_forecast.find,
}
