"""Which migrations the release before can live with: it goes on running while they are applied, and for a while after.

The rules are in docs/how-to/upgrade.md. A migration that breaks one for a good reason says so in an attribute
``safe_because``; then the rules leave it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.fields import NOT_PROVIDED

from deliveries.online_index import AddIndexOnline

#: Tables that grow with traffic: building an index under a lock would hold up receiving.
LARGE = frozenset({("deliveries", name) for name in ("event", "delivery", "attempt", "rejection", "stepresult")})
#: Of a field, what its column is made of.
_SHAPE = ("to", "max_digits", "decimal_places", "db_column", "base_field", "primary_key")
_NEVER: dict[type[Operation], str] = {
    operations.RemoveField: "the release before still reads and writes the column",
    operations.DeleteModel: "the release before still reads and writes the table",
    operations.RenameField: "the release before knows the column by its old name",
    operations.RenameModel: "the release before knows the table by its old name",
    operations.AlterModelTable: "the release before knows the table by its old name",
    operations.AlterUniqueTogether: "the release before may write what it forbids",
    operations.RunSQL: "no rule can read SQL",
}
_SCHEMA = (
    operations.CreateModel,
    operations.AddField,
    operations.AlterField,
    operations.AddIndex,
    operations.AddConstraint,
)


def unsafe(migration: Migration, before: ProjectState) -> list[str]:
    """Return why the release before cannot live with ``migration``, applied to ``before``; empty if it can."""
    if getattr(migration, "safe_because", ""):
        return []
    state = before.clone()
    found: list[str] = []
    made: set[str] = set()
    for operation in _of_the_database(migration.operations):
        found += [f"{operation.describe()}: {why}" for why in _why(operation, migration, state, made)]
        if isinstance(operation, operations.CreateModel):
            made.add(operation.name_lower)
        operation.state_forwards(migration.app_label, state)
    kinds = {isinstance(each, operations.RunPython) for each in migration.operations if _is_work(each)}
    if len(kinds) == 2:
        found.append("Schema and data in one migration: the locks of the first are held while the second runs")
    return found


def _of_the_database(found: Iterable[Operation]) -> Iterator[Operation]:
    for operation in found:
        if isinstance(operation, operations.SeparateDatabaseAndState):
            yield from _of_the_database(operation.database_operations)
        else:
            yield operation


def _is_work(operation: Operation) -> bool:
    return isinstance(operation, (*_SCHEMA, operations.RunPython))


def _why(operation: Operation, migration: Migration, state: ProjectState, made: set[str]) -> Iterator[str]:
    name = str(getattr(operation, "model_name_lower", ""))
    for kind, reason in _NEVER.items():
        if isinstance(operation, kind):
            yield reason
    if isinstance(operation, operations.RunPython) and operation.reverse_code is None:
        yield "there is no way back; name a reverse, if only RunPython.noop"
    if name in made:
        return
    is_large = (migration.app_label, name) in LARGE
    if isinstance(operation, operations.AddIndex):
        yield from _of_index(operation, migration, is_large=is_large)
    elif isinstance(operation, operations.AddConstraint):
        yield "the release before may write what it forbids, and a lock is held while all rows are looked at"
    elif isinstance(operation, operations.RemoveConstraint):
        yield from _of_removed(operation, migration, state)
    elif isinstance(operation, operations.AddField):
        yield from _of_added(operation.field, is_large=is_large)
    elif isinstance(operation, operations.AlterField):
        old = state.models[migration.app_label, name].fields[operation.name]
        yield from _of_altered(old, operation.field, is_large=is_large)


def _of_index(operation: operations.AddIndex, migration: Migration, *, is_large: bool) -> Iterator[str]:
    if isinstance(operation, AddIndexOnline):
        if migration.atomic:
            yield "an index is built online outside of a transaction only: atomic = False"
    elif is_large:
        yield "receiving waits while the index is built; use AddIndexOnline"


def _of_removed(operation: operations.RemoveConstraint, migration: Migration, state: ProjectState) -> Iterator[str]:
    constraints: list[Any] = state.models[migration.app_label, operation.model_name_lower].options["constraints"]
    if any(isinstance(each, models.UniqueConstraint) and each.name == operation.name for each in constraints):
        yield "the release before may name it in ON CONFLICT"


def _of_added(field: Any, *, is_large: bool) -> Iterator[str]:
    if field.many_to_many:
        return
    if not field.null and field.db_default is NOT_PROVIDED and not getattr(field, "generated", False):
        yield "the release before inserts rows without it; null=True or a db_default"
    yield from _of_own_index(field, is_large=is_large)


def _of_altered(old: Any, new: Any, *, is_large: bool) -> Iterator[str]:
    if old.null and not new.null:
        yield "the release before writes NULL"
    if old.db_default is not NOT_PROVIDED and new.db_default is NOT_PROVIDED and not new.null:
        yield "the release before may count on the db_default"
    if _shape(old) != _shape(new) or _is_shorter(old, new):
        yield "the type changes: all rows are written anew under a lock, and the release before reads the old one"
    if not _has_own_index(old):
        yield from _of_own_index(new, is_large=is_large)
    elif new.unique and not old.unique:
        yield "the release before may write the same value twice"


def _of_own_index(field: Any, *, is_large: bool) -> Iterator[str]:
    if field.unique:
        yield "the release before may write the same value twice"
    elif is_large and _has_own_index(field):
        yield "receiving waits while the field's index is built; db_index=False, and AddIndexOnline"


def _has_own_index(field: Any) -> bool:
    return bool(field.unique or field.db_index)


def _shape(field: Any) -> tuple[Any, ...]:
    _, path, _, options = field.deconstruct()
    return (path, *(options.get(name) for name in _SHAPE))


def _is_shorter(old: Any, new: Any) -> bool:
    """Return whether the new column takes less; one that takes more is only a line in PostgreSQL's catalogue."""
    if new.max_length is None or new.max_length == old.max_length:
        return False
    return old.max_length is None or bool(new.max_length < old.max_length)
