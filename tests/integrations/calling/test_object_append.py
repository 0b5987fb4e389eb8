"""`object.append`: events in objects of a folder, many in each, each event once."""

from __future__ import annotations

import gzip
import json
import tempfile
import threading
import time
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test import TestCase, override_settings
from django.utils import timezone

from integrations.calling.batching import StoredBatches
from integrations.calling.opening import StoredConnections
from integrations.connectors import extras, folder_store
from integrations.connectors.extras import ClientMissing
from integrations.connectors.system import SystemFailed, SystemRefused
from integrations.errors import StillRunning
from integrations.models import BatchedItem, Connection, ItemBatch
from tests.integrations.calling.objects import ObjectsTestCase, append, numbered
from tests.integrations.calling.test_tokens import in_threads
from tests.integrations.handlers.contexts import Kept, context_of, event_of


class AnEventForAnObject(ObjectsTestCase):
    def test_waits_for_others_and_is_written_with_them(self) -> None:
        with pytest.raises(StillRunning):
            append(numbered(1), batch_events=2)
        self.assertEqual(self.objects(), [])

        written = append(numbered(2), batch_events=2)

        self.assertEqual(self.numbers(), [[1, 2]])
        self.assertEqual(written, {"object": str(self.objects()[0].relative_to(self.root / "events"))})
        self.assertEqual(append(numbered(1), batch_events=2), written)
        self.assertEqual(self.numbers(), [[1, 2]])

    def test_is_written_alone_once_it_has_waited_long_enough(self) -> None:
        with pytest.raises(StillRunning) as waiting:
            append(numbered(1), batch_seconds=60)
        self.assertGreater(waiting.value.after, timedelta(seconds=50))
        BatchedItem.objects.update(created_at=timezone.now() - timedelta(seconds=61))

        append(numbered(1), batch_seconds=60)

        self.assertEqual(self.numbers(), [[1]])

    def test_stands_in_the_folder_of_its_endpoint_and_day(self) -> None:
        event = numbered(1)
        append(event, prefix="raw/shop", batch_seconds=0)

        (path,) = self.objects()
        day = event.received_at.date().isoformat()
        expected = f"events/raw/shop/endpoint={event.endpoint}/date={day}"
        self.assertEqual(str(path.parent.relative_to(self.root)), expected)

    def test_is_kept_encrypted_while_it_waits_and_not_at_all_afterwards(self) -> None:
        with pytest.raises(StillRunning):
            append(event_of({"name": "Ada"}))
        with mock.patch.object(BatchedItem.line.field, "from_db_value", lambda value, *_: value):
            self.assertNotIn("Ada", str(BatchedItem.objects.values_list("line", flat=True).get()))

        append(event_of({"name": "Ada"}), batch_seconds=0)

        self.assertEqual(BatchedItem.objects.get().line, "")

    def test_is_written_over_the_same_object_after_a_crash_between_writing_and_noting_it(self) -> None:
        with (
            mock.patch.object(type(ItemBatch.objects.all()), "written", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            append(numbered(1), batch_seconds=0)
        ItemBatch.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        before = [(path, path.read_bytes()) for path in self.objects()]

        append(numbered(2), batch_seconds=0)
        append(numbered(1), batch_seconds=0)

        self.assertEqual(sorted(self.numbers()), [[1], [2]])
        self.assertIn(before[0], [(path, path.read_bytes()) for path in self.objects()])

    def test_waits_while_another_worker_writes_its_batch(self) -> None:
        def meanwhile(_system: Any, _name: str, _content: bytes, _seconds: float) -> None:
            with pytest.raises(StillRunning, match="another worker"):
                append(numbered(1), batch_seconds=0)

        with mock.patch.object(folder_store, "put", meanwhile):
            append(numbered(1), batch_seconds=0)

        self.assertTrue(BatchedItem.objects.select_related("batch").get().is_written)

    def test_is_tried_again_at_once_after_a_failure(self) -> None:
        (self.root / "events").write_text("a file is in the way")
        with pytest.raises(SystemFailed):
            append(numbered(1), batch_seconds=0)
        (self.root / "events").unlink()

        append(numbered(1), batch_seconds=0)

        self.assertEqual(self.numbers(), [[1]])

    def test_is_brought_anew_if_it_was_erased_while_it_waited(self) -> None:
        with pytest.raises(StillRunning):
            append(numbered(1))
        BatchedItem.objects.retract([numbered(1).id])

        append(event_of(None, id=numbered(1).id, body=b""), batch_seconds=0)

        (path,) = self.objects()
        self.assertIsNone(json.loads(gzip.decompress(path.read_bytes()))["payload"])

    def test_is_forgotten_with_its_batch_when_nothing_can_replay_it(self) -> None:
        append(numbered(1), batch_seconds=0)

        self.assertEqual(BatchedItem.objects.forget([numbered(1).id]), 1)

        self.assertFalse(ItemBatch.objects.exists())

    def test_can_be_a_row_of_parquet(self) -> None:
        parquet = import_module("pyarrow.parquet")
        append(numbered(1), form="parquet", batch_seconds=0)

        (row,) = parquet.read_table(self.objects()[0], partitioning=None).to_pylist()

        self.assertEqual(json.loads(row["payload"]), {"number": 1})
        self.assertEqual(row["received_at"], numbered(1).received_at)

    def test_is_a_dead_letter_in_one_line_where_the_package_is_not_installed(self) -> None:
        with (
            mock.patch.object(extras, "import_module", side_effect=ModuleNotFoundError(name="pyarrow")),
            pytest.raises(ClientMissing, match=r"^pyarrow is not installed: pip install .* pyarrow$"),
        ):
            append(numbered(1), form="parquet")


@pytest.mark.any_database
class AFolder(ObjectsTestCase):
    def test_is_tried_by_the_button(self) -> None:
        trial = self.tried()

        (path,) = self.objects()
        self.assertEqual(
            (trial.is_well, trial.text), (True, f"lake took the object {path.relative_to(self.root / 'events')}")
        )
        with override_settings(HUB_OBJECTS_DIR=""):
            self.assertIn("HUB_OBJECTS_DIR names no folder", self.tried().text)

    def test_does_not_lead_out_over_a_link(self) -> None:
        with tempfile.TemporaryDirectory() as outside:
            (self.root / "events").symlink_to(outside)
            with pytest.raises(SystemRefused, match="leads out"):
                append(numbered(1), batch_seconds=0)
            self.assertEqual(list(Path(outside).iterdir()), [])

    @override_settings(HUB_OBJECTS_DIR="")
    def test_takes_nothing_where_the_environment_names_none(self) -> None:
        with pytest.raises(SystemRefused, match="HUB_OBJECTS_DIR"):
            append(numbered(1), batch_seconds=0)

    def test_keeps_no_half_of_an_object(self) -> None:
        with (
            mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")),
            pytest.raises(SystemFailed, match="No space left"),
        ):
            append(numbered(1), batch_seconds=0)
        self.assertEqual(self.objects(), [])


class SeveralWorkers(ObjectsTestCase):
    def test_write_each_event_once_and_stand_in_nobodys_way(self) -> None:
        events = [numbered(number) for number in range(12)]

        def work() -> int:
            waiting, end = list(events), time.monotonic() + 20
            while waiting and time.monotonic() < end:
                waiting = [event for event in waiting if not is_written(event)]
            return len(waiting)

        def is_written(event: Any) -> bool:
            try:
                append(event, batch_events=5, batch_seconds=0 if BatchedItem.objects.count() == len(events) else 9)
            except StillRunning:
                return False
            return True

        self.assertEqual(in_threads(3, work), [0, 0, 0])

        self.assertEqual(sorted(number for numbers in self.numbers() for number in numbers), list(range(12)))

    @pytest.mark.stricter_database  # SQLite has one writer at a time
    def test_take_what_no_other_is_taking_without_waiting_for_it(self) -> None:
        now = timezone.now()
        rows = [added(str(number)) for number in range(4)]
        is_locked, is_over = threading.Event(), threading.Event()

        def other() -> None:
            with transaction.atomic():
                list(BatchedItem.objects.select_for_update().filter(pk__in=[rows[0].pk, rows[2].pk]))
                is_locked.set()
                is_over.wait(10)
            connections.close_all()

        thread = threading.Thread(target=other)
        thread.start()
        try:
            self.assertTrue(is_locked.wait(10))
            with transaction.atomic():
                connections["default"].cursor().execute("SET LOCAL lock_timeout = '2s'")
                batch = taken(rows[0], now=now, most=(2, 1000))
        finally:
            is_over.set()
            thread.join()

        assert batch
        self.assertEqual(set(batch.items.values_list("key", flat=True)), {"1", "3"})


def added(key: str, **values: Any) -> BatchedItem:
    values = {"place": "p", "folder": "f", "form": "jsonl", "line": "{}", "now": timezone.now(), **values}
    return BatchedItem.objects.add(key=key, **values)


def taken(row: BatchedItem, *, now: Any, most: tuple[int, int], wait: timedelta = timedelta(0)) -> ItemBatch | None:
    return BatchedItem.objects.take(row, now=now, until=now + timedelta(seconds=9), wait=wait, most=most)


class BatchesOfAPlace(TestCase):
    def test_hold_each_row_once_however_many_take_them(self) -> None:
        rows = [added(str(number)) for number in range(4)]
        now = timezone.now()

        first, second = taken(rows[0], now=now, most=(3, 1000)), taken(rows[0], now=now, most=(3, 1000))

        assert first
        assert second
        self.assertEqual([first.items.count(), second.items.count()], [3, 1])
        self.assertIsNone(taken(rows[0], now=now, most=(3, 1000)))

    def test_are_full_by_their_bytes_too(self) -> None:
        row, _ = (added(str(number), line="x" * 60) for number in range(2))

        batch = taken(row, now=timezone.now(), wait=timedelta(hours=1), most=(9, 100))

        assert batch
        self.assertEqual(batch.items.count(), 1)

    def test_are_kept_by_running_hubs_in_the_database(self) -> None:
        connection = Connection.objects.create(name="lake", kind="folder", base_url="folder:/events")
        context = replace(context_of({}, Kept()), connections=StoredConnections(uuid4()))
        system = context.system("lake")
        self.assertEqual(system.identity, str(connection.pk))
        self.assertIsInstance(system.batches, StoredBatches)
