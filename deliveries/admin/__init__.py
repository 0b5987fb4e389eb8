"""The operator's pages. Django finds this package by its name; its modules register ours and close others'."""

from deliveries.admin import (
    accounts,
    audit_log,
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
    "audit_log",
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
