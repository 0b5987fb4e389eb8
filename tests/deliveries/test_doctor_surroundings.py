"""``manage.py doctor`` on what the hub stands on."""

from __future__ import annotations

import tempfile
import zoneinfo
from ipaddress import ip_network
from pathlib import Path
from unittest import mock

from django.db import connections
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone
from environ import Env

from deliveries.doctor import machine, storage, surroundings
from deliveries.replica import REPLICA
from tests.running_hub import free_port

NOW = timezone.now()
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/my hub/db.sqlite3"}}
MOUNTS = "/dev/sda / ext4 rw 0 0\nnas:/x /srv ext4 rw 0 0\nnas:/x /srv/my\\040hub nfs4 rw 0 0\nproc /proc proc rw 0 0\n"


class SurroundingsTests(SimpleTestCase):
    def setUp(self) -> None:
        mounts = Path(self.enterContext(tempfile.TemporaryDirectory())) / "mounts"
        mounts.write_text(MOUNTS)
        self.enterContext(mock.patch.object(surroundings, "MOUNTS", mounts))

    def test_name_an_https_address_without_a_proxy_that_is_trusted(self) -> None:
        for url, networks, count in (
            ("https://hub.example.com", [], 1),
            ("https://hub.example.com", [ip_network("10.0.0.0/8")], 0),
            ("http://127.0.0.1:8000", [], 0),
        ):
            with self.subTest(url=url, networks=networks):
                with override_settings(HUB_BASE_URL=url, HUB_TRUSTED_PROXIES=networks):
                    _, symptoms = surroundings.proxies_are_trusted(NOW)
                self.assertEqual([each.level for each in symptoms], ["warning"] * count)

    def test_name_a_network_file_system_under_sqlite(self) -> None:
        with mock.patch.object(surroundings.settings, "DATABASES", SQLITE):
            kind, (symptom,) = surroundings.database_is_local(NOW)
        self.assertEqual((kind, symptom.level), ("nfs4", "problem"))

    def test_know_the_file_system_that_is_nearest_to_a_path(self) -> None:
        self.assertEqual(surroundings.file_system(Path("/srv/other/db.sqlite3")), "ext4")
        self.assertEqual(surroundings.file_system(Path("/proc/x")), "proc")
        surroundings.MOUNTS.unlink()
        self.assertEqual(surroundings.file_system(Path("/srv")), "")

    def test_name_time_zone_data_that_is_missing(self) -> None:
        self.assertEqual(surroundings.time_zones_are_there(NOW), ("", ()))

        path = zoneinfo.TZPATH
        self.addCleanup(zoneinfo.reset_tzpath, path)
        zoneinfo.reset_tzpath([])
        zoneinfo.ZoneInfo.clear_cache()
        with mock.patch.dict("sys.modules", {"tzdata": None}):
            _, (symptom,) = surroundings.time_zones_are_there(NOW)
        self.assertEqual(symptom.level, "problem")


class TheDatabaseTests(SimpleTestCase):
    def test_of_sqlite_is_told_of_where_it_loses_data_or_is_damaged(self) -> None:
        found = {"journal_mode": "delete", "synchronous": 1, "foreign_keys": 1, "page_count": 9, "page_size": 4096}
        found["quick_check(1)"] = "wrong # of entries in index event_by_arrival"
        with mock.patch.object(storage, "_pragma", found.__getitem__):
            _, symptoms = storage._sqlite()
        self.assertEqual(
            [each.text for each in symptoms],
            [
                "SQLite's journal_mode is delete, not wal.",
                "SQLite's synchronous is 1, not 2.",
                "The SQLite file is damaged.",
            ],
        )

    def test_of_postgresql_is_told_of_where_it_loses_data_or_text(self) -> None:
        found = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off")
        found |= {"server_encoding": "SQL_ASCII", "max_connections": "20", "superuser_reserved_connections": "3"}
        texts = [each.text for each in storage._postgres_symptoms(found)]
        self.assertEqual(
            [text.split(" is off")[0] for text in texts[:3]], [f"PostgreSQL's {name}" for name in found][:3]
        )
        self.assertEqual(texts[3], "The database's encoding is SQL_ASCII.")
        self.assertIn("the database takes 17.", texts[4])
        self.assertEqual(len(texts), 5)

    def test_is_told_of_where_its_folder_cannot_be_written_to(self) -> None:
        with mock.patch("os.access", return_value=False):
            _, symptoms = machine.disk_has_room(NOW)
        self.assertTrue(any(each.text.endswith("cannot be written to.") for each in symptoms))


class AReplicaTests(TestCase):
    def test_is_named_where_it_does_not_answer(self) -> None:
        self.assertEqual(surroundings.replica_answers(NOW), ("", ()))

        away = connections.configure_settings(
            {"default": {}, REPLICA: Env.db_url_config(f"postgres://u:s3cret@127.0.0.1:{free_port()}/hub")}
        )
        self.enterContext(mock.patch.dict(connections.settings, {REPLICA: away[REPLICA]}))
        self.enterContext(mock.patch.object(type(self), "databases", {"default", REPLICA}))
        self.addCleanup(connections.__delitem__, REPLICA)
        _, (symptom,) = surroundings.replica_answers(NOW)
        self.assertEqual(symptom.level, "warning")
        self.assertIn("(OperationalError)", symptom.text)
        self.assertNotIn("s3cret", symptom.text)
