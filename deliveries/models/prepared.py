"""Statements whose text and types never change: PostgreSQL keeps them ready, and libpq sends their values alone.

psycopg looks at each value anew, in Python, to find out of what type it is, and goes through several layers around
libpq. For the one statement of an accepted event that took more time than the statement itself.
"""

from __future__ import annotations

import itertools
import re
import select
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

#: libpq's numbers: of a connection that works, and of its states between and in transactions.
_OK, _IDLE, _IN_TRANSACTION = 0, 0, 2
#: What a connection has ready, by the names of statements; on psycopg's connection, as they go with it.
_READY = "_hub_ready"
_TEXT, _BINARY = 0, 1
_numbers = itertools.count(1)

Encode = Callable[[Any], bytes]


def _moment(value: Any) -> bytes:
    return value.isoformat().encode()  # type: ignore[no-any-return]


def _uuids(value: Any) -> bytes:
    return f"{{{','.join(map(str, value))}}}".encode()


#: By PostgreSQL's name of a type: its number, in which of the two formats values go over, and what makes them.
_TYPES: dict[str, tuple[int, int, Encode]] = {
    # A text goes over as its bytes, with their number: in the other format it would end at a NUL, without an error.
    "text": (25, _BINARY, lambda value: value.encode()),
    "varchar": (1043, _BINARY, lambda value: value.encode()),
    "uuid": (2950, _BINARY, lambda value: value.bytes),
    "bytea": (17, _BINARY, bytes),
    "jsonb": (3802, _TEXT, lambda value: value.encode()),
    "boolean": (16, _TEXT, lambda value: b"t" if value else b"f"),
    "smallint": (21, _TEXT, lambda value: b"%d" % value),
    "integer": (23, _TEXT, lambda value: b"%d" % value),
    "bigint": (20, _TEXT, lambda value: b"%d" % value),
    "timestamp with time zone": (1184, _TEXT, _moment),
    "uuid[]": (2951, _TEXT, _uuids),
}


#: What makes the values of a row, by the number of their type.
_READ: dict[int, Callable[[bytes], Any]] = {16: b"t".__eq__, 2950: lambda value: UUID(value.decode())}


class Statement:
    """A statement that returns one row of booleans and UUIDs, with ``%s`` for each parameter.

    ``types`` are those of the parameters, as PostgreSQL calls them; a jsonb's value is its text.
    """

    def __init__(self, text: str, types: Sequence[str]) -> None:
        self.text = text
        known = [_TYPES[name.partition("(")[0]] for name in types]
        self._numbers = [number for number, _, _ in known]
        self._encoders = [encode for _, _, encode in known]
        self.formats = [format_ for _, format_, _ in known]
        self.name = b"hub_%d" % next(_numbers)

    @cached_property
    def _command(self) -> bytes:
        places = itertools.count(1)
        return re.sub("%[s%]", lambda found: f"${next(places)}" if found[0] == "%s" else "%", self.text).encode()

    def encoded(self, values: Sequence[Any]) -> list[bytes | None]:
        """Return ``values`` as they go to the server."""
        return [None if value is None else encode(value) for encode, value in zip(self._encoders, values, strict=True)]

    def make_ready(self, raw: Any) -> None:
        """Let the server parse it for the psycopg connection ``raw``, unless it has already."""
        ready = raw.__dict__.setdefault(_READY, set())
        if self.name not in ready:
            _checked(raw, raw.pgconn.prepare(self.name, self._command, self._numbers))
            ready.add(self.name)

    def once(self, raw: Any, values: Sequence[Any]) -> Any:
        """Return the result, of the statement in its whole; the server keeps nothing ready."""
        return raw.pgconn.exec_params(self._command, self.encoded(values), self._numbers, self.formats)


Sent = Sequence[tuple[Statement, Sequence[Any]]]
#: What a statement returns.
Row = tuple[Any, ...]


def is_takeable(raw: Any) -> bool:
    """Return whether statements can go past psycopg: it begins no transaction of its own before the next one."""
    status = raw.pgconn.transaction_status
    return bool(status == _IN_TRANSACTION or (status == _IDLE and raw.autocommit))


def row_of_last(raw: Any, statements: Sent) -> Row:
    """Run ``statements`` on the psycopg connection ``raw``, where `is_takeable`; return the last one's row.

    Outside of a transaction they are one, in one round trip. Raises psycopg's errors.
    """
    from psycopg.errors import InvalidSqlStatementName

    if raw.pgconn.transaction_status == _IN_TRANSACTION:
        # A statement that were not ready any more would end the transaction, so each goes over as it is.
        for statement, values in statements:
            result = _checked(raw, statement.once(raw, values))
        return _row(result)
    try:
        return _row(_sent(raw, statements))
    except InvalidSqlStatementName:  # somebody has let the connection forget them; nothing has been done
        raw.__dict__.pop(_READY, None)
        return _row(_sent(raw, statements))


def _sent(raw: Any, statements: Sent) -> Any:
    for statement, _ in statements:
        statement.make_ready(raw)
    if len(statements) > 1:
        return _pipelined(raw, statements)
    ((statement, values),) = statements
    return _checked(raw, raw.pgconn.exec_prepared(statement.name, statement.encoded(values), statement.formats))


def _pipelined(raw: Any, statements: Sent) -> Any:
    """Return the last one's result; the server does none of them, or all."""
    pgconn = raw.pgconn
    pgconn.enter_pipeline_mode()
    try:
        for statement, values in statements:
            pgconn.send_query_prepared(statement.name, statement.encoded(values), statement.formats)
        pgconn.pipeline_sync()
        results = _results(pgconn)
    finally:
        if pgconn.status == _OK:  # on a connection that is lost there is nothing to leave
            pgconn.exit_pipeline_mode()
    for result in results:
        _checked(raw, result)
    return results[-1]


def _results(pgconn: Any) -> list[Any]:
    """Return what comes until the end of the pipeline."""
    from psycopg.pq import ExecStatus

    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
    while pgconn.flush():
        # What the server has to say has to be read meanwhile: it might not take any more before.
        if any(happened & select.POLLIN for _, happened in poll.poll()):
            pgconn.consume_input()
    poll.modify(pgconn.socket, select.POLLIN)
    results: list[Any] = []
    while True:
        # libpq itself would wait with Python's lock in its hands.
        while pgconn.is_busy():
            poll.poll()
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            if pgconn.status != _OK:
                return results
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)


def _checked(raw: Any, result: Any) -> Any:
    """Return ``result``; raises psycopg's error if it is one."""
    from psycopg.errors import OperationalError, error_from_result
    from psycopg.pq import ExecStatus

    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        return result
    if raw.pgconn.status != _OK:  # the connection is lost, and the server has said nothing
        raise OperationalError(raw.pgconn.get_error_message())
    raise error_from_result(result)


def _row(result: Any) -> Row:
    return tuple(_value(result, column) for column in range(result.nfields))


def _value(result: Any, column: int) -> Any:
    value = result.get_value(0, column)
    return None if value is None else _READ[result.ftype(column)](value)
