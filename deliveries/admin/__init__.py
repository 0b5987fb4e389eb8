"""The operator's pages. Django finds this package by its name; its modules register ours and close others'."""

from deliveries.admin import (
    accounts,
    blocked_keys,
    closed,
    deliveries,
    endpoints,
    events,
    rejections,
    replays,
    routes,
    tokens,
    workers,
)

__all__ = [
    "accounts",
    "blocked_keys",
    "closed",
    "deliveries",
    "endpoints",
    "events",
    "rejections",
    "replays",
    "routes",
    "tokens",
    "workers",
]
