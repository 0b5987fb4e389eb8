"""The operator's pages. Django finds this package by its name; its modules register ours and close others'."""

from deliveries.admin import (
    accounts,
    audit_log,
    backfills,
    blocked_keys,
    closed,
    connections,
    deliveries,
    endpoints,
    events,
    groups,
    rejections,
    replays,
    routes,
    schedules,
    tokens,
    workers,
)

__all__ = [
    "accounts",
    "audit_log",
    "backfills",
    "blocked_keys",
    "closed",
    "connections",
    "deliveries",
    "endpoints",
    "events",
    "groups",
    "rejections",
    "replays",
    "routes",
    "schedules",
    "tokens",
    "workers",
]
