"""The operator's pages. Django finds this package by its name; its modules register ours and close others'."""

from deliveries.admin import (
    accounts,
    closed,
    deliveries,
    endpoints,
    events,
    groups,
    rejections,
    routes,
    tokens,
    workers,
)

__all__ = [
    "accounts",
    "closed",
    "deliveries",
    "endpoints",
    "events",
    "groups",
    "rejections",
    "routes",
    "tokens",
    "workers",
]
