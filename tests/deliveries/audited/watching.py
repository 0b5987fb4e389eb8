"""What a request has written into the database, and what the audit log says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models import Action, AuditEntry

#: From here everything is done: no address that anything has by itself.
ADDRESS = "198.51.100.23"
#: Tables that are written whoever looks at whatever: no change that somebody has made.
BY_THE_WAY = frozenset({"deliveries_auditentry", "deliveries_tokenterms", "deliveries_tokenstaken", "django_session"})
#: What is a record of itself, and whose content has an age of its own: the log tells that it was made, and no more.
THEIR_OWN_RECORD = frozenset({"event"})
#: Actions that say all by themselves.
IN_A_WORD = frozenset({Action.LOGGED_IN, Action.LOGGED_OUT, Action.LOGIN_FAILED})
_WRITE = re.compile(r'(?:^|\(|\s)(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM|TRUNCATE) "?(\w+)"?', re.IGNORECASE)


@dataclass
class Watched:
    """What was seen: ``tables`` that were written, less those of `BY_THE_WAY`, and the log's new ``entries``.

    ``apart`` are tables that were written in another transaction than the entries: where the process dies between the
    two, one is there without the other.
    """

    started_at: datetime
    tables: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)
    entries: list[AuditEntry] = field(default_factory=list)

    def problems(self, who: User, *, via: str, request_id: str) -> list[str]:
        """Return what is missing in the entries: who, when, from where, what, and before and after."""
        found = [] if self.entries else ["no entry in the audit log"]
        for entry in self.entries:
            said = (entry.who, entry.user_id, entry.via, entry.source, entry.request_id)
            if said != (who.get_username(), who.pk, via, ADDRESS, request_id):
                found.append(f"{entry.message!r} says who and from where otherwise: {said}")
            if not self.started_at <= entry.at <= timezone.now():
                found.append(f"{entry.message!r} says when otherwise: {entry.at}")
            found += [f"{entry.action} {entry.object_type} {entry.message!r}: {text}" for text in _unsaid(entry)]
        changes = [entry for entry in self.entries if entry.action == Action.CHANGED]
        if changes and not any(entry.before or entry.after for entry in self.entries):
            found.append(f"{changes[0].message!r}: no difference")
        return found


def _unsaid(entry: AuditEntry) -> Iterator[str]:
    """Yield what an entry of its kind has to say and does not."""
    if not entry.message and entry.action not in IN_A_WORD:
        yield "no words"
    is_of_a_list = entry.message.startswith("Exported ")
    if not (entry.object_type and entry.object_id.replace("None", "") and entry.object_name) and not is_of_a_list:
        yield "not of what"
    if entry.action == Action.MADE and not entry.after and entry.object_type not in THEIR_OWN_RECORD:
        yield "not what was made"
    if entry.action == Action.REMOVED and not entry.before:
        yield "not what was removed"
    if entry.action == Action.CHANGED and (entry.before is None or entry.after is None):
        yield "not before and after"


@contextmanager
def watching() -> Iterator[Watched]:
    """Yield what is filled in when the block has ended."""
    known = set(AuditEntry.objects.values_list("pk", flat=True))
    watched = Watched(timezone.now())
    with CaptureQueriesContext(connection) as queries:
        yield watched
    written = list(_in_blocks(query["sql"] for query in queries.captured_queries))
    noted = {block for block, name in written if name == AuditEntry._meta.db_table}
    changes = [(block, name) for block, name in written if name not in BY_THE_WAY]
    watched.tables = {name for _, name in changes}
    watched.apart = {name for block, name in changes if noted and block not in noted}
    watched.entries = list(AuditEntry.objects.exclude(pk__in=known).order_by("id"))


def _in_blocks(statements: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield each table that is written, with the number of the transaction; a test's own is none of the hub's."""
    number, depth = 0, 0
    known = set(connection.introspection.django_table_names(include_views=False))
    for sql in statements:
        depth += sql.startswith("SAVEPOINT ") - sql.startswith("RELEASE SAVEPOINT ")
        if depth == 0:
            number += 1
        yield from ((number, name) for name in _WRITE.findall(sql) if name in known)
