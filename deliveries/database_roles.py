"""Who may do what in the database: one role for web, one for workers, and the owner, as whom migrations run.

A hole in one process then reaches no further than that process has to: neither can change a table's shape, workers see
no session and no second factor, and nobody but retention takes a line out of the audit log. PostgreSQL only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction

from deliveries.models import Attempt, AuditEntry, Batch, Delivery, Event, EventVariant
from integrations.models import Connection, Endpoint

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NOTHING, _READ, _ADD = "", "SELECT", "SELECT, INSERT"
_KEEP, _ALL = "SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE, DELETE"


@dataclass(frozen=True)
class Roles:
    """The names of the two roles."""

    web: str = "hub_web"
    worker: str = "hub_worker"

    def __post_init__(self) -> None:
        """Refuse what is no plain name, with `ValueError`."""
        for name in (self.web, self.worker):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a role: small letters, digits and _ only")


@dataclass(frozen=True)
class Grant:
    """What each of the two may do with a table; "" is nothing."""

    web: str
    worker: str


#: By the app's label: what its tables are for decides.
_BY_APP: Mapping[str, Grant] = {
    "deliveries": Grant(web=_ALL, worker=_ALL),
    "integrations": Grant(web=_ALL, worker=_READ),
    "auth": Grant(web=_ALL, worker=_READ),
    "contenttypes": Grant(web=_READ, worker=_READ),
    "django_q": Grant(web=_NOTHING, worker=_ALL),  # its rows are pickles, which only who runs them may write
}
#: Sessions, tokens, second factors and identities, and apps with handlers of one's own.
_OTHERS = Grant(web=_ALL, worker=_NOTHING)
_AUTOMATIONS = Grant(web=_ALL, worker=_ALL)
#: Tables that differ from their app's.
_HISTORY = Grant(web=_KEEP, worker=_ALL)  # what has happened goes by retention, which is the workers'
# To lock a row takes the right to change one of its columns.
_LOCKED = Grant(web=_ALL, worker="SELECT, UPDATE (updated_at)")
# Whoever removes an event, by age or as an order, has receiving look for its key among those that are kept.
_NOTED = Grant(web=_ALL, worker="SELECT, UPDATE (updated_at, keys_kept_since)")


def statements(roles: Roles, *, database: str) -> Iterator[str]:
    """Yield what the owner of the tables runs after each `migrate`: nothing for anybody, then what each has to have."""
    both = f'"{roles.web}", "{roles.worker}"'
    yield f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC'
    yield f'GRANT CONNECT ON DATABASE "{database}" TO {both}'
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {both}"
    yield f"GRANT USAGE ON SCHEMA public TO {both}"
    for table, grant in sorted(grants().items()):
        for role, rights in ((roles.web, grant.web), (roles.worker, grant.worker)):
            if rights:
                yield f'GRANT {rights} ON "{table}" TO "{role}"'


def making(roles: Roles) -> Iterator[str]:
    """Yield what the server's administrator runs once; the passwords are for them to set."""
    for role in (roles.web, roles.worker):
        yield f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION'
        yield f'ALTER ROLE "{role}" SET search_path = public'


def apply(roles: Roles, *, using: str = "default") -> int:
    """Run `statements` in one transaction, as who is connected; return how many. Can be run while the hub runs."""
    connection = connections[using]
    found = list(statements(roles, database=str(connection.settings_dict["NAME"])))
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for statement in found:
            cursor.execute(statement)
    return len(found)


def grants() -> dict[str, Grant]:
    """Return what is granted on each table that the hub has, by its name."""
    found = {
        model._meta.db_table: _BY_APP.get(model._meta.app_label, _default(model._meta.app_config.name))
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return {**found, **_exceptions()}


def _default(app: str) -> Grant:
    return _AUTOMATIONS if app in settings.HUB_AUTOMATIONS else _OTHERS


def _exceptions() -> dict[str, Grant]:
    history = (Event, EventVariant, Batch, Delivery, Attempt)
    of_calls = ("batcheditem", "connectionhealth", "connectiontoken", "itembatch", "sharedrun", "unnamedhealth")
    return {
        "django_migrations": Grant(web=_READ, worker=_READ),
        "auth_permission": Grant(web=_READ, worker=_READ),
        settings.CACHES["default"]["LOCATION"]: _OTHERS,
        AuditEntry._meta.db_table: Grant(web=_ADD, worker="SELECT, INSERT, DELETE"),
        Endpoint._meta.db_table: _NOTED,
        Connection._meta.db_table: _LOCKED,
        **{model._meta.db_table: _HISTORY for model in history},
        **{f"integrations_{name}": Grant(web=_ALL, worker=_ALL) for name in (*of_calls, "storedanswer")},
    }
