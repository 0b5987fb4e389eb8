"""Migrations after the baseline are safe beside the release before, and the rules that say so find what is not."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from deliveries.online_index import AddIndexOnline
from tests.migration_rules import LARGE, unsafe

pytestmark = pytest.mark.any_database
#: The last migrations of the last release; to be set anew with each. Before the first release: where the rules began.
BASELINE = {"deliveries": "0056_named_counts", "integrations": "0012_unnamed_health"}


@cache
def loader() -> MigrationLoader:
    return MigrationLoader(None)


@cache
def baseline() -> ProjectState:
    return loader().project_state(list(BASELINE.items()))


def found(*operations: Any, **attributes: Any) -> list[str]:
    """Return what the rules say of a migration of these operations that follows the baseline."""
    made: Any = type("Migration", (Migration,), {"operations": list(operations), **attributes})
    return unsafe(made("0999_made", "deliveries"), baseline())


class TestMigrations:
    def test_of_the_baseline_are_there(self) -> None:
        assert set(BASELINE.items()) <= set(loader().graph.nodes)

    def test_after_the_baseline_are_safe_beside_the_release_before(self) -> None:
        graph = loader().graph
        old = {node for name in BASELINE.items() for node in graph.forwards_plan(name)}
        new = [node for node in graph.nodes if node[0] in BASELINE and node not in old]
        said = {node: unsafe(loader().disk_migrations[node], graph.make_state(node, at_end=False)) for node in new}
        assert {node: why for node, why in said.items() if why} == {}

    def test_know_which_tables_are_large(self) -> None:
        assert set(baseline().models) >= LARGE


class TestTheRules:
    @pytest.mark.parametrize(
        "operation",
        [
            migrations.RemoveField("event", "source"),
            migrations.DeleteModel("Rejection"),
            migrations.RenameField("event", "source", "origin"),
            migrations.RenameModel("Rejection", "Refusal"),
            migrations.AlterModelTable("event", "events"),
            migrations.AlterUniqueTogether("event", {("source", "event_id")}),
            migrations.RunSQL("SELECT 1", "SELECT 1"),
            migrations.RunPython(migrations.RunPython.noop),
            migrations.AddField("event", "weight", models.IntegerField(default=0)),
            migrations.AddField("event", "weight", models.IntegerField(null=True, db_index=True)),
            migrations.AddField("alert", "weight", models.IntegerField(null=True, unique=True)),
            migrations.AlterField("delivery", "finished_at", models.DateTimeField()),
            migrations.AlterField("event", "event_id", models.CharField(max_length=1)),
            migrations.AlterField("event", "event_id", models.IntegerField()),
            migrations.AddIndex("event", models.Index("event_id", name="made")),
            migrations.AddConstraint(
                "event", models.CheckConstraint(condition=models.Q(id__isnull=False), name="made")
            ),
            AddIndexOnline("event", models.Index("event_id", name="made")),
            migrations.SeparateDatabaseAndState([migrations.RemoveField("event", "source")]),
        ],
        ids=lambda operation: operation.describe(),
    )
    def test_refuse(self, operation: Any) -> None:
        assert len(found(operation)) == 1

    @pytest.mark.parametrize(
        "operation",
        [
            migrations.AddField("event", "weight", models.IntegerField(db_default=0)),
            migrations.AddField("event", "weight", models.IntegerField(null=True)),
            migrations.AlterField("event", "event_id", models.CharField(max_length=9000)),
            migrations.CreateModel("Made", [("id", models.BigAutoField(primary_key=True))]),
            migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop),
            migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("event", "source")]),
        ],
        ids=lambda operation: operation.describe(),
    )
    def test_let_pass(self, operation: Any) -> None:
        assert found(operation) == []

    def test_let_an_index_be_built_outside_of_a_transaction(self) -> None:
        assert found(AddIndexOnline("event", models.Index("event_id", name="made")), atomic=False) == []

    def test_let_a_new_table_have_what_it_wants(self) -> None:
        made = migrations.CreateModel("Made", [("id", models.BigAutoField(primary_key=True))])
        assert found(made, migrations.AddIndex("made", models.Index("id", name="made"))) == []

    def test_refuse_schema_and_data_in_one(self) -> None:
        fill = migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)
        (said,) = found(migrations.AddField("event", "weight", models.IntegerField(null=True)), fill)
        assert said.startswith("Schema and data in one migration")

    def test_leave_alone_what_says_why_it_is_safe(self) -> None:
        assert found(migrations.DeleteModel("Rejection"), safe_because="unused since 0.2.0") == []
