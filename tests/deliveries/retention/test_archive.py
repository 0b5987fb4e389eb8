"""What is removed can be archived before, and brought back as it was."""

from __future__ import annotations

import gzip
import io
import json
import stat
import tempfile
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command

from deliveries import erasing
from deliveries.execution.housekeeping import Housekeeping
from deliveries.models import Attempt, Delivery, Event, FlowStep, KeptKey, StepResult
from deliveries.models.sealing import sealed_columns
from deliveries.retention import targets
from tests.deliveries.retention.aging import MARKER, NOW, RetentionTestCase


class ArchiveTestCase(RetentionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.knows_kept_keys()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(self.settings(HUB_ARCHIVE_DIR=str(self.folder)))

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*/*.jsonl.gz"))

    def restore(self) -> str:
        out = io.StringIO()
        call_command("restore_archive", *map(str, self.files()), stdout=out)
        return out.getvalue()

    def columns(self) -> list[dict[str, object]]:
        """Return what came and what became of it, but for what says that it was restored."""
        left_out = ("legal_hold", "id", "calls")  # each encryption differs
        rows = [row for model in (Event, Delivery, Attempt) for row in model.objects.values()]
        rows += StepResult.objects.values("delivery", "key", "value", "data")
        rows += FlowStep.objects.values("delivery", "name", "state", "tries", "error")
        rows += [{"sent": row.calls} for row in Attempt.objects.all()]
        rows += [{"input": row.input, "kept": row.kept} for row in FlowStep.objects.all()]
        return [
            {name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items() if name not in left_out}
            for row in rows
        ]


class ArchivedEventTests(ArchiveTestCase):
    def test_is_written_before_its_body_goes_and_comes_back_as_it_was(self) -> None:
        for days in (31, 101):
            with self.subTest(days=days):
                self.delivered(days)
                before = self.columns()
                self.prune()
                self.assertNotEqual(self.columns(), before)

                said = self.restore()

                self.assertEqual(self.columns(), before)
                self.assertTrue(said.startswith("restored 1 events"), said)
                self.assertIn("Restored from the archive", Event.objects.latest("pk").legal_hold)
                self.assertEqual(self.prune(), {})
                self.assertTrue(self.restore().startswith("restored 0 events"))
                for model in (StepResult, FlowStep, Attempt, Delivery, Event):
                    model.objects.all().delete()
                for path in self.files():
                    path.unlink()

    def test_is_named_by_its_files_and_not_by_their_folder(self) -> None:
        with self.assertRaisesMessage(CommandError, f"{self.folder} is a folder: name its files, such as"):
            call_command("restore_archive", str(self.folder))

    def test_keeps_its_credentials_encrypted_in_the_file(self) -> None:
        sealed = sealed_columns(
            headers={"Authorization": "Bearer s3cret-token"}, query_string="", body=b"{}", content_type="text/plain",
            secret_headers=(), secret_parameters=(), encrypt_body=True,
        )  # fmt: skip
        self.event(31, **sealed, body=b"")
        Event.objects.update(**{name: sealed[name] for name in ("raw_body", "body_is_encrypted")})

        self.prune()
        written = gzip.decompress(self.files()[0].read_bytes()).decode()
        self.restore()

        self.assertNotIn("s3cret-token", written)
        self.assertEqual(Event.objects.get().original_headers["Authorization"], "Bearer s3cret-token")
        self.assertEqual(Event.objects.get().body, b"{}")

    def test_stands_in_the_manifest_with_its_checksum(self) -> None:
        self.event(31)
        self.prune()

        [noted] = map(json.loads, (self.folder / "manifest.jsonl").read_text().splitlines())

        self.assertEqual((noted["file"], noted["events"]), (str(self.files()[0].relative_to(self.folder)), 1))
        self.assertEqual(noted["sha256"], targets.digest(self.files()[0].read_bytes()))
        self.assertEqual(stat.S_IMODE(self.files()[0].stat().st_mode), 0o600)

    def test_stays_where_the_archive_cannot_be_written(self) -> None:
        self.event(31)

        with mock.patch.object(targets.Folder, "write", side_effect=OSError("disk full")), self.assertRaises(OSError):
            self.prune()

        self.assertIsNotNone(Event.objects.get().raw_body)

    def test_keeps_no_worker_from_its_deliveries_where_it_cannot_be_written(self) -> None:
        self.event(31)

        with mock.patch.object(targets.Folder, "write", side_effect=OSError("disk full")):
            Housekeeping().tidy_up(NOW)
            with self.assertRaisesMessage(CommandError, "the archive cannot be written"):
                call_command("prune")

        self.assertIsNotNone(Event.objects.get().raw_body)

    def test_is_a_duplicates_first_again(self) -> None:
        self.event(101, dedupe_key="id:evt-7")
        self.prune()

        self.restore()

        self.assertEqual(Event.objects.get().dedupe_key, "id:evt-7")
        self.assertFalse(KeptKey.objects.exists())

    def test_does_not_come_back_once_it_was_erased(self) -> None:
        self.event(31)
        self.prune()
        Event.objects.update(query_string=f"mail={MARKER}")
        order = erasing.work_off(erasing.order(MARKER, by=None))
        erasing.confirm(order, by=None)
        erasing.work_off(order)

        self.assertIn("1 had been erased", self.restore())
        self.assertIsNone(Event.objects.get().raw_body)


class DamagedFileTests(ArchiveTestCase):
    def test_is_refused(self) -> None:
        self.event(31)
        self.prune()
        [path] = self.files()
        path.write_bytes(path.read_bytes()[:-9] + b"123456789")

        with self.assertRaisesMessage(CommandError, "its checksum differs"):
            self.restore()
