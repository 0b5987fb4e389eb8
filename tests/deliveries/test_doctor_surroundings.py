"""``manage.py doctor`` on what the hub stands on."""

from __future__ import annotations

import tempfile
import zoneinfo
from ipaddress import ip_network
from pathlib import Path
from unittest import mock

from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from deliveries.doctor import surroundings

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
