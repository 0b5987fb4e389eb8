"""An index built while the table is in use, for migrations: concurrently on PostgreSQL, on SQLite as any other."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import AddIndex
from django.db.migrations.state import ProjectState


class AddIndexOnline(AddIndexConcurrently):
    """`AddIndexConcurrently` that SQLite takes, too; the migration has to be ``atomic = False``.

    If it is broken off on PostgreSQL an invalid index of that name stays: drop it, then migrate again.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Build the index; writes go on meanwhile on PostgreSQL."""
        self._run("database_forwards", app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the index."""
        self._run("database_backwards", app_label, schema_editor, from_state, to_state)

    def _run(self, name: str, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        way: Any = AddIndexConcurrently if schema_editor.connection.vendor == "postgresql" else AddIndex
        getattr(way, name)(self, app_label, schema_editor, *states)
