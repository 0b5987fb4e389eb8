"""``manage.py doctor``: every fault is named, with what mends it."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from deliveries import self_check
from deliveries.backup.manifest import Manifest, fingerprints, manifest_path
from deliveries.doctor import CHECKS, storage
from deliveries.models import Delivery, Schedule, Worker
from integrations.models import Connection, Endpoint, Route, Secret
from tests.deliveries.api.cases import make_user
from tests.factories import make_delivery, make_endpoint, make_route

OTHER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def examined() -> dict[str, list[str]]:
    """Return what `doctor --json` says: ``level: text`` by check, and that the exit code tells of problems."""
    out, code = io.StringIO(), 0
    try:
        call_command("doctor", "--json", stdout=out)
    except SystemExit as exc:
        code = int(exc.code or 0)
    answer = json.loads(out.getvalue())
    found = {
        result["check"]: [f"{symptom['level']}: {symptom['text']}" for symptom in result["symptoms"]]
        for result in answer["checks"]
    }
    assert all(symptom["mend"] for result in answer["checks"] for symptom in result["symptoms"])
    has_problem = any(text.startswith("problem") for texts in found.values() for text in texts)
    assert (code, answer["ok"]) == (int(has_problem), not has_problem)
    return found


class DoctorTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder.chmod(0o700)
        overrides: dict[str, Any] = {
            "BASE_DIR": self.folder,
            "HUB_DATA_DIR": self.folder / "var",
            "HUB_WORKER_THREADS": 16,
            "HUB_BASE_URL": "https://testserver",
            "HUB_TRUSTED_PROXIES": [ip_network("127.0.0.0/8")],
            "SECURE_HSTS_SECONDS": 3600,
            "SESSION_COOKIE_SECURE": True,
            "CSRF_COOKIE_SECURE": True,
        }
        self.enterContext(override_settings(**overrides))
        if connection.vendor == "sqlite":
            os.chmod(settings.DATABASES["default"]["NAME"], 0o600)  # noqa: PTH101 - tests may name it by a text
        make_user("ada", is_superuser=True)
        now = timezone.now()
        Worker.objects.create(name="here:1", started_at=now, beat_at=now)
        self.channel = make_route(make_endpoint(slug="hub-alerts", provider="internal"), handler="log")

    def found(self, check: str) -> list[str]:
        return examined()[check]

    def test_finds_nothing_wrong_with_a_hub_that_works(self) -> None:
        make_route(make_endpoint(slug="gh", provider="github", secret="a secret"))

        found = examined()

        self.assertEqual(list(found), [check.name for check in CHECKS])
        self.assertEqual({check: texts for check, texts in found.items() if texts}, {})

    def test_says_in_words_what_it_found_and_how_to_mend_it(self) -> None:
        Worker.objects.all().delete()
        out = io.StringIO()

        with self.assertRaises(SystemExit) as caught:
            call_command("doctor", stdout=out)

        self.assertEqual(caught.exception.code, 1)
        lines = out.getvalue().splitlines()
        at = lines.index("problem   workers: No worker has been heard of for 30 s.")
        self.assertTrue(lines[at + 1].startswith("          -> Start the hub: `python manage.py hub`."))
        self.assertEqual(lines[-1], "1 problem")
        self.assertIn("ok        administrator: 1 of them", lines)

    def test_names_endpoints_that_refuse_everything_or_soon_will(self) -> None:
        make_endpoint(slug="bare", provider="github")
        make_endpoint(slug="off", provider="github", state="disabled")
        soon = make_endpoint(slug="soon", provider="github")
        Secret.objects.create(endpoint=soon, value="a", expires_at=timezone.now() + timedelta(days=1))
        make_endpoint(slug="fine", provider="github", secret="a")

        bare, ends = self.found("endpoints")

        self.assertEqual(bare, "problem: Endpoint 'bare' has no live secret: it refuses every request.")
        self.assertTrue(ends.startswith("warning: Endpoint 'soon' refuses every request from 2"), ends)

    def test_names_references_that_lead_nowhere(self) -> None:
        endpoint = make_endpoint(slug="orders", provider="github", secret="env:HUB_SECRET_GONE")
        Secret.objects.create(endpoint=endpoint, value="env:HUB_SECRET_THERE", label="fine")
        make_endpoint(slug="meta", provider="meta", secret="a", settings={"verify_token": "file:gone"})
        Connection.objects.create(name="crm", auth="bearer", credentials={"token": "env:HUB_SECRET_NOT"})

        with mock.patch.dict(os.environ, {"HUB_SECRET_THERE": "x"}):
            found = self.found("references")

        self.assertEqual(
            found,
            [
                "problem: The secret 'test' of endpoint 'orders' cannot be had: env:HUB_SECRET_GONE leads nowhere.",
                "problem: The setting verify_token of endpoint 'meta' cannot be had: file:gone leads nowhere.",
                "problem: The credential token of connection 'crm' cannot be had: env:HUB_SECRET_NOT leads nowhere.",
            ],
        )

    def test_warns_while_alerts_reach_nobody(self) -> None:
        Endpoint.objects.filter(slug="hub-alerts").update(state="paused")
        self.assertEqual(self.found("alerts"), ["warning: Alerts reach nobody: no channel is on."])
        Endpoint.objects.filter(slug="hub-alerts").update(state="active")
        self.assertEqual(self.found("alerts"), [])
        Route.objects.filter(pk=self.channel.pk).update(enabled=False)
        self.assertEqual(self.found("alerts"), ["warning: Alerts reach nobody: no channel is on."])

    def test_names_routes_that_send_mail_where_no_mail_server_is_set(self) -> None:
        Route.objects.filter(pk=self.channel.pk).update(handler="email.send", name="Mail to us")
        with override_settings(EMAIL_HOST=""):
            (said,) = self.found("alerts")
        self.assertIn("'Mail to us'", said)
        with override_settings(EMAIL_HOST="mail.example.com"):
            self.assertEqual(self.found("alerts"), [])

    def test_names_schedules_whose_time_has_passed(self) -> None:
        now = timezone.now()
        inside = make_endpoint(provider="internal")
        for name, minutes in (("late", -10), ("just now", -1), ("later", 10)):
            Schedule.objects.create(
                name=name, endpoint=inside, cron="0 3 * * *", next_at=now + timedelta(minutes=minutes)
            )

        self.assertEqual(self.found("schedules"), ["problem: The time of 'late' has come, and no event was made."])

    @override_settings(HUB_SELF_CHECK_SECONDS=60)
    def test_names_a_self_check_that_is_not_sent_or_does_not_come_out(self) -> None:
        now = timezone.now()
        Worker.objects.update(started_at=now, beat_at=now)
        self.assertEqual(self.found("self-check"), [])
        Worker.objects.update(started_at=now - timedelta(minutes=3))
        self.assertEqual(self.found("self-check"), ["problem: The self-check is on, and its endpoint is missing."])

        endpoint = self_check.ensure_endpoint()
        self.assertEqual(self.found("self-check"), [])
        Endpoint.objects.filter(pk=endpoint.pk).update(created_at=now - timedelta(hours=1))
        (said,) = self.found("self-check")
        self.assertTrue(said.startswith("problem: No event of the self-check has come out for 36"), said)
        with override_settings(HUB_SELF_CHECK_SECONDS=0):
            self.assertEqual(self.found("self-check"), [])

    def test_names_values_that_no_key_decrypts(self) -> None:
        secret = Secret.objects.create(endpoint=make_endpoint(slug="gh", provider="github"), value="a")

        with override_settings(HUB_ENCRYPTION_KEYS=[OTHER_KEY]):
            found = examined()

        (text,) = found["encryption keys"]
        self.assertIn(f"integrations_secret.value {secret.pk}", text)
        self.assertTrue(text.startswith("problem: No key of HUB_ENCRYPTION_KEYS decrypts"))
        self.assertEqual(found["references"], [])

    def test_names_routes_with_unknown_handlers_and_endpoints_that_prove_nothing(self) -> None:
        route = make_route(make_endpoint(slug="open"), name="lost")
        Route.objects.filter(pk=route.pk).update(handler="gone.away")
        gone = make_endpoint(slug="gone")
        Endpoint.objects.filter(pk=gone.pk).update(provider="nobody")

        found = self.found("configuration")

        self.assertEqual(
            [(text.partition(":")[0], text[-10:-1]) for text in found],
            [("problem", "(hub.W002"), ("problem", "(hub.W003"), ("warning", "(hub.W004")],
        )

    def test_names_a_public_address_without_tls_or_that_the_hub_does_not_answer_to(self) -> None:
        with override_settings(HUB_BASE_URL="http://hub.example.com"):
            found = examined()

        self.assertTrue(any("(hub.W001)" in text and text.startswith("warning") for text in found["settings"]))
        self.assertIn(
            "problem: HUB_BASE_URL names hub.example.com, which is not in ALLOWED_HOSTS", found["addresses"][0]
        )

    def test_names_work_that_does_not_get_done(self) -> None:
        long_ago = timezone.now() - timedelta(hours=1)
        Worker.objects.update(beat_at=long_ago)
        route = make_route(make_endpoint())
        make_delivery(route, now=long_ago)
        make_delivery(route, status="running", lease_until=long_ago)

        found = examined()

        self.assertEqual(found["workers"], ["problem: No worker has been heard of for 30 s."])
        self.assertEqual(found["queue"], ["problem: A delivery has been waiting for a worker for more than 300 s."])
        self.assertEqual(found["leases"], ["problem: 1 delivery is held by a worker that has gone silent."])
        self.assertEqual(Delivery.objects.filter(status="running").count(), 1)

    def test_names_files_that_others_may_read(self) -> None:
        (self.folder / ".env").write_text("SECRET_KEY=x")
        (self.folder / ".env").chmod(0o644)
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o755)

        with override_settings(HUB_SECRETS_DIR=str(secrets)):
            env, folder = self.found("files")
        with override_settings(HUB_SECRETS_DIR=str(secrets / "missing")):
            (missing,) = self.found("files")

        self.assertEqual(env, f"problem: Others on this machine may read {self.folder}/.env (mode 644).")
        self.assertEqual(folder, f"warning: Others on this machine may read {secrets} (mode 755).")
        self.assertEqual(missing, f"problem: HUB_SECRETS_DIR, {secrets}/missing, is no folder.")

    def test_names_an_archive_that_is_not_to_be_had(self) -> None:
        self.assertEqual(self.found("archive"), [])
        Connection.objects.create(name="lake", kind="http", base_url="https://api.example.com")
        with override_settings(HUB_ARCHIVE_CONNECTION="vault"):
            self.assertEqual(
                self.found("archive"),
                ["problem: Events cannot be archived: There is no connection 'vault' that belongs to no group."],
            )
            Connection.objects.update(name="vault")
            (found,) = self.found("archive")
            self.assertIn("is of kind 'http'", found)
            Connection.objects.update(kind="folder", base_url="folder:/hub")
            self.assertEqual(self.found("archive"), [])

    def test_names_a_backup_that_is_missing_old_or_of_other_keys(self) -> None:
        self.assertEqual(self.found("backups"), [])
        with override_settings(HUB_BACKUP_DIR=str(self.folder)):
            self.assertEqual(self.found("backups"), [f"warning: There is no backup in HUB_BACKUP_DIR, {self.folder}."])
            self.make_backup(age=timedelta(hours=30))
            self.assertEqual(self.found("backups"), ["warning: The newest backup is 30 hours old."])
            self.make_backup(age=timedelta(hours=2))
            self.assertEqual(self.found("backups"), [])
            fingerprint = fingerprints()[0]
            with override_settings(HUB_ENCRYPTION_KEYS=[OTHER_KEY]):
                (lost,) = self.found("backups")
            self.assertIn(f"needs the keys {fingerprint}", lost)

    def make_backup(self, *, age: timedelta) -> None:
        taken_at = timezone.now() - age
        path = self.folder / f"hub-{taken_at:%Y%m%dT%H%M%SZ}.sqlite3"
        path.write_bytes(b"x")
        found = Manifest(taken_at, "1", "sqlite", "3", (), {}, fingerprints(), 1, "")
        manifest_path(path).write_text(found.as_json())

    def test_names_a_disk_that_is_full(self) -> None:
        usage = shutil.disk_usage(self.folder)
        for free, level in ((100 * 1024**2, "problem"), (500 * 1024**2, "warning")):
            with mock.patch("shutil.disk_usage", return_value=usage._replace(free=free)):
                found = self.found("disk")
            self.assertTrue(found[0].startswith(f"{level}: Only {free // 1024**2} MiB are free at "), found)

    def test_names_static_files_that_were_not_collected(self) -> None:
        manifest = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}

        with override_settings(STORAGES={**settings.STORAGES, **manifest}, STATIC_ROOT=str(self.folder / "static")):
            (text,) = self.found("static files")

        self.assertEqual(text, "problem: The static files have not been collected.")

    def test_names_missing_migrations_and_asks_no_further(self) -> None:
        with mock.patch.object(storage.MigrationExecutor, "migration_plan", return_value=["one", "two"]):
            found = examined()

        self.assertEqual(found["migrations"], ["problem: 2 migrations are not applied."])
        self.assertEqual(list(found)[-1], "migrations")

    def test_warns_while_nobody_can_log_in(self) -> None:
        type(make_user("eve")).objects.update(is_superuser=False)

        self.assertEqual(self.found("administrator"), ["warning: There is no active superuser."])

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL")
    def test_names_settings_of_postgresql_that_lose_data(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")

        with override_settings(HUB_WORKER_THREADS=500):
            lost, connections = self.found("database")

        self.assertTrue(lost.startswith("problem: PostgreSQL's synchronous_commit is off"))
        self.assertTrue(connections.startswith("warning: One hub may open 10"))

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL")
    def test_names_a_clock_that_is_wrong(self) -> None:
        with mock.patch.object(storage.timezone, "now", lambda now=timezone.now: now() + timedelta(minutes=3)):
            found = list(storage.clocks_agree(timezone.now())[1])

        self.assertEqual(found[0].text, "The clocks of this machine and of the database are 180 s apart.")


class DoctorWithoutADatabaseTests(SimpleTestCase):
    def test_says_so_and_not_where_it_is(self) -> None:
        address = "postgres://user:password@db"
        away = mock.Mock(side_effect=OperationalError(address))
        with mock.patch.multiple(storage, _sqlite=away, _postgres=away):
            found = examined()

        self.assertEqual(found["database"], ["problem: The database fails (OperationalError)."])
        self.assertEqual(list(found)[-1], "database")
