"""Events are archived in an object storage with a connection, and brought back out of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tempfile
from ipaddress import ip_network
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from django.core.management import CommandError, call_command
from django.test import override_settings
from gcp_storage_emulator.server import create_server

from deliveries.models import Event
from deliveries.retention import targets
from integrations.connectors import objects
from integrations.models import Connection, EndpointGroup
from tests.azurite import ACCOUNT, KEY, azurite, missing
from tests.deliveries.retention.aging import MARKER, CommittedRetentionTestCase
from tests.moto_s3 import S3, s3
from tests.running_hub import free_port

# What a file holds is in test_archive.py.
pytestmark = pytest.mark.any_database
LOOPBACK = [ip_network("127.0.0.0/8")]


def restore(*names: str) -> str:
    out = io.StringIO()
    call_command("restore_archive", *names, connection="archive", stdout=out)
    return out.getvalue()


@override_settings(HUB_ARCHIVE_CONNECTION="archive", HUB_EGRESS_ALLOW=LOOPBACK)
class AnArchiveInABucket(CommittedRetentionTestCase):
    s3: S3

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.s3 = cls.enterClassContext(s3())

    def setUp(self) -> None:
        super().setUp()
        self.knows_kept_keys()
        self.enterContext(self.s3.bucket("vault"))
        self.connection = self.s3.connection("archive", "vault/hub")

    def test_gets_what_loses_its_body_and_brings_it_back_as_it_was(self) -> None:
        event = self.event(101)
        self.prune()
        self.assertFalse(Event.objects.exists())
        (content,) = self.files().values()
        self.assertIn(MARKER, json.loads(gzip.decompress(content))["event"]["query_string"])

        said = restore(f"orders/{event.received_at:%Y-%m}")

        self.assertTrue(said.startswith("restored 1 events"), said)
        self.assertEqual(Event.objects.get().body, event.body)

    def test_has_the_checksum_of_each_file_beside_it_and_refuses_another(self) -> None:
        self.event(31)
        self.prune()
        ((name, content),) = self.files().items()
        noted = json.loads(self.s3.content("vault")[f"hub/manifest/{name.removeprefix('hub/')}.json"])
        self.assertEqual(noted["sha256"], hashlib.sha256(content).hexdigest())

        self.s3.client.put_object(Bucket="vault", Key=name, Body=gzip.compress(b"{}"))

        with self.assertRaisesMessage(CommandError, "its checksum differs"):
            restore("orders/")

    def test_has_nothing_removed_while_it_cannot_be_written(self) -> None:
        self.event(31)
        Connection.objects.update(base_url=f"{self.s3.address}/nowhere")

        with self.assertRaisesMessage(CommandError, "the archive cannot be written"):
            call_command("prune")

        self.assertIsNotNone(Event.objects.get().raw_body)

    def test_is_not_kept_with_a_connection_that_a_group_may_lead_elsewhere(self) -> None:
        Connection.objects.update(group=EndpointGroup.objects.create(name="Shop"))
        self.event(31)

        with self.assertRaisesMessage(OSError, "no connection 'archive' that belongs to no group"):
            self.prune()

        self.assertEqual(self.s3.content("vault"), {})

    def test_has_nothing_at_other_names(self) -> None:
        with self.assertRaisesMessage(CommandError, "has nothing at 'invoices/'"):
            restore("invoices/")

    def files(self) -> dict[str, bytes]:
        return {name: content for name, content in self.s3.content("vault").items() if name.endswith(".jsonl.gz")}


class OtherStores(CommittedRetentionTestCase):
    def test_read_what_they_have_written(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.settings(HUB_OBJECTS_DIR=folder):
            self.keeps(kind="folder", base_url="folder:/hub")

    @pytest.mark.skipif(bool(missing()), reason=missing())
    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_of_azure_do_as_well(self) -> None:
        with azurite() as address:
            credential = {"account_name": ACCOUNT, "account_key": KEY}
            with BlobServiceClient(f"{address}/{ACCOUNT}", credential=credential) as client:
                client.create_container("vault")
            self.keeps(
                kind="azure",
                base_url=f"{address}/{ACCOUNT}/vault/hub",
                auth="azure_key",
                auth_settings={"account": ACCOUNT},
                credentials={"account_key": KEY},
            )

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_of_google_do_as_well(self) -> None:
        port = free_port()
        running = create_server("127.0.0.1", port, in_memory=True, default_bucket="vault")
        running.start()
        self.addCleanup(running.stop)
        self.keeps(kind="gcs", base_url=f"http://127.0.0.1:{port}/vault/hub")

    def keeps(self, **values: Any) -> None:
        Connection.objects.create(name="archive", **values)
        with override_settings(HUB_ARCHIVE_CONNECTION="archive"):
            event = self.event(31)
            self.prune()
            self.assertIsNone(Event.objects.get().raw_body)
            self.assertTrue(restore("orders/").startswith("restored 1 events"))
            self.assertEqual(Event.objects.get().body, event.body)
            system = targets.objects_of("archive")._system
            self.assertEqual(objects.names(system, "invoices/"), [])
