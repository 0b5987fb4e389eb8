"""A connection to a PostgreSQL outside of the hub: guarded address, one deadline over all of it, errors without values.

The address is an operator's ``postgres://`` URL. Nothing else says where the connection goes or as whom: what libpq
would take from the environment or from files (``PGPASSWORD``, ``~/.pgpass``) is set here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import psycopg
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from integrations.connectors.deadline import cut_off
from integrations.connectors.egress import Address, EgressRefused, Network, Resolve, is_allowed, refusal, resolve
from integrations.connectors.system import SystemFailed, SystemRefused
from integrations.errors import HubError

_SCHEMES = ("postgres://", "postgresql://")
_NEEDED = ("host", "user", "dbname")
_TAKEN = frozenset({*_NEEDED, "port", "password", "sslmode", "sslrootcert"})
_CONNECT_SECONDS = 5
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
#: Classes of SQLSTATE that say "never, as it is": the value, a constraint, names and permissions.
_FINAL = ("22", "23", "3F", "42")


class DatabaseFailed(SystemFailed):
    """The database cannot be reached, or broke off, or was too slow; the message holds neither address nor value."""


class DatabaseRefused(SystemRefused):
    """The address is none that may be used, or the database refuses a statement for good."""


class Database:
    """An open connection in a transaction; each statement gets what is left of its time."""

    def __init__(self, connection: psycopg.Connection[Any], ends_at: float) -> None:
        self._connection = connection
        self._ends_at = ends_at

    def run(self, statement: sql.SQL | sql.Composed, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; raises `DatabaseFailed` or `DatabaseRefused`.

        Without ``values`` a ``%`` stands for itself.
        """
        with _own_errors():
            left = f"{max(1, int((self._ends_at - time.monotonic()) * 1000))}ms"
            # Within the transaction only, and by a statement: a pooler takes no options and shares sessions.
            limits = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
            self._connection.execute(limits, [left, left])
            cursor = self._connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []


class Identifier(sql.Identifier):
    """A quoted name for statements with values, in which a ``%`` has to be doubled also within a name."""

    def as_bytes(self, context: Any = None) -> bytes:
        """Return the name as it stands in the statement."""
        return super().as_bytes(context).replace(b"%", b"%%")


@contextmanager
def database(
    url: str, *, seconds: float, allow: Iterable[Network] | None = None, resolve: Resolve = resolve
) -> Iterator[Database]:
    """Yield a connection to ``url`` in one transaction, which is committed at the end; all within ``seconds``.

    Raises `DatabaseRefused` for an address that is none or that is the hub's own database, `EgressRefused` for one
    outside of ``allow`` (``HUB_EGRESS_ALLOW`` if None), `DatabaseFailed` for what another try may not meet again.
    """
    ends_at = time.monotonic() + seconds
    parts = _parts(url)
    with _own_errors():
        addresses = resolve(parts["host"], int(parts["port"]), min(seconds, _CONNECT_SECONDS))
    networks = tuple(settings.HUB_EGRESS_ALLOW if allow is None else allow)
    for address in addresses:
        if not is_allowed(address, networks):
            raise EgressRefused(refusal(parts["host"], address))
    _refuse_the_hubs_own(parts, addresses, resolve)
    with _own_errors():
        connection = psycopg.connect(**_arguments(parts, addresses, ends_at - time.monotonic()), prepare_threshold=None)
    # A server that says nothing would hold the worker for ever.
    with cut_off(connection.fileno(), ends_at - time.monotonic()):
        try:
            yield Database(connection, ends_at)
            with _own_errors():
                connection.commit()
        finally:
            with suppress(psycopg.Error):
                connection.close()  # what is not committed is undone


def _parts(url: str) -> dict[str, str]:
    """Return what ``url`` says, with a port."""
    parts: dict[str, Any] = {}
    if url.startswith(_SCHEMES):
        with suppress(psycopg.Error):  # its message quotes the address
            parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    # libpq would go on with an environment's or a service file's: a socket's folder, several hosts, another user.
    host, port = parts.get("host", ""), parts.setdefault("port", "5432")
    is_one = not host.startswith(("/", "@")) and "," not in host and port.isascii() and port.isdigit()
    if not all(parts.get(name) for name in _NEEDED) or not is_one or parts.keys() - _TAKEN:
        raise DatabaseRefused(
            "database: the reference has to lead to postgres://USER:PASSWORD@HOST:PORT/NAME, with sslmode and "
            "sslrootcert as the only parameters"
        )
    return parts


def _arguments(parts: dict[str, str], addresses: Sequence[Address], seconds: float) -> dict[str, Any]:
    """Return the arguments to connect with: to the very addresses that were checked."""
    return {
        "sslmode": "prefer",
        "password": "",
        **parts,
        "passfile": os.devnull,
        "gssencmode": "disable",
        "host": ",".join([parts["host"]] * len(addresses)),  # the name that a certificate has to prove
        "hostaddr": ",".join(map(str, addresses)),
        "port": parts["port"],
        "connect_timeout": max(1, int(min(_CONNECT_SECONDS, seconds / len(addresses)))),  # for each address
        "application_name": "automation-hub",
    }


def _refuse_the_hubs_own(parts: dict[str, str], addresses: Sequence[Address], resolve: Resolve) -> None:
    for own in settings.DATABASES.values():
        if not own["ENGINE"].endswith("postgresql") or str(own["NAME"]) != parts["dbname"]:
            continue
        if str(own.get("PORT") or 5432) == parts["port"] and not _apart(str(own.get("HOST") or ""), addresses, resolve):
            raise DatabaseRefused("database: this is the hub's own database")


def _apart(host: str, addresses: Sequence[Address], resolve: Resolve) -> bool:
    """Return whether the hub's ``host`` (a socket's folder, a name) is at none of ``addresses``."""
    if not host or host.startswith("/"):
        return not _LOOPBACK.intersection(map(str, addresses))
    with _own_errors():
        return not set(resolve(host, 5432, _CONNECT_SECONDS)).intersection(addresses)


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raise this module's errors instead of psycopg's, whose texts quote addresses and values."""
    failure: HubError
    try:
        yield
        return
    except psycopg.Error as exc:
        failure = _failure(exc)
    except (httpcore.ConnectError, httpcore.ConnectTimeout):
        failure = DatabaseFailed("the database's name does not resolve")
    except UnicodeError:
        failure = DatabaseRefused("a text of the row is not Unicode")
    raise failure from None


def _failure(exc: psycopg.Error) -> HubError:
    code, kind = exc.sqlstate, type(exc).__name__
    if code is None:
        if isinstance(exc, psycopg.DataError):
            return DatabaseRefused("the database's client cannot send a value of the row")
        return DatabaseFailed(f"the database cannot be reached, refuses the login, or broke off ({kind})")
    column = f", column {exc.diag.column_name}" if exc.diag.column_name else ""
    said = f"the database refuses it: {kind} (SQLSTATE {code}{column})"
    return DatabaseRefused(said) if code.startswith(_FINAL) else DatabaseFailed(said)
