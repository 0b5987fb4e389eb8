"""`object.append` to buckets: of an S3, a Google Cloud Storage and an Azure on loopback."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from importlib import import_module
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from integrations.connectors.egress import EgressRefused
from integrations.connectors.system import SystemRefused
from integrations.errors import StillRunning
from integrations.models import Connection
from tests.azurite import ACCOUNT, KEY, azurite, missing
from tests.integrations.calling.objects import ObjectsTestCase, append, numbered, numbers_of
from tests.moto_s3 import S3, SECRET, s3

# A batch is the same on each database (test_object_append.py), and what is sent of it.
pytestmark = pytest.mark.any_database

LOOPBACK = [ip_network("127.0.0.0/8")]
NAME = r"^raw/endpoint=[^/]+/date=[0-9-]{10}/[0-9a-f-]{36}\.jsonl\.gz$"


class ABucketOfS3(ObjectsTestCase):
    s3: S3

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.s3 = cls.enterClassContext(s3())

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(self.s3.bucket("lake"))
        self.leads_to("lake/raw")

    def leads_to(self, path: str) -> None:
        Connection.objects.all().delete()
        self.s3.connection("lake", path)

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_gets_an_object_for_a_batch(self) -> None:
        with pytest.raises(StillRunning):
            append(numbered(1), batch_events=2)
        append(numbered(2), batch_events=2)

        ((name, content),) = self.s3.content("lake").items()

        self.assertRegex(name, NAME)
        self.assertEqual(numbers_of(content), [1, 2])

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_that_there_is_not_is_a_dead_letter_that_names_no_key(self) -> None:
        self.leads_to("nowhere")
        with pytest.raises(SystemRefused, match="no such bucket") as refused:
            append(numbered(1), batch_seconds=0)
        self.assertNotIn(SECRET, str(refused.value))

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_is_tried_by_the_button(self) -> None:
        trial = self.tried()

        ((name, _),) = self.s3.content("lake").items()
        self.assertEqual((trial.is_well, trial.text), (True, f"lake took the object {name.removeprefix('raw/')}"))
        self.leads_to("nowhere")
        self.assertIn("no such bucket", self.tried().text)

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_is_not_reached_at_an_address_that_is_not_allowed(self) -> None:
        with pytest.raises(EgressRefused, match=r"127\.0\.0\.1 is not a public address"):
            append(numbered(1), batch_seconds=0)
        self.assertEqual(self.s3.content("lake"), {})


class ABucketOfGoogleCloudStorage(ObjectsTestCase):
    port: int
    storage: Any

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        with socket.create_server(("127.0.0.1", 0)) as free:
            cls.port = free.getsockname()[1]
        emulator = import_module("gcp_storage_emulator.server")
        running = emulator.create_server("127.0.0.1", cls.port, in_memory=True, default_bucket="lake")
        running.start()
        cls.addClassCleanup(running.stop)
        cls.storage = running._storage

    def setUp(self) -> None:
        super().setUp()
        self.leads_to(f"http://127.0.0.1:{self.port}/lake/raw")

    def leads_to(self, base_url: str, **values: Any) -> None:
        Connection.objects.all().delete()
        Connection.objects.create(name="lake", kind="gcs", base_url=base_url, **values)

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_gets_an_object_for_a_batch(self) -> None:
        with pytest.raises(StillRunning):
            append(numbered(1), batch_events=2)
        append(numbered(2), batch_events=2)

        ((name, _),) = self.storage.objects["lake"].items()
        content = self.storage.get_file("lake", name)
        self.storage.delete_file("lake", name)

        self.assertRegex(name, NAME)
        self.assertEqual(numbers_of(content), [1, 2])

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_is_tried_by_the_button(self) -> None:
        trial = self.tried()

        ((name, _),) = self.storage.objects["lake"].items()
        self.storage.delete_file("lake", name)
        self.assertEqual((trial.is_well, trial.text), (True, f"lake took the object {name.removeprefix('raw/')}"))
        self.leads_to(f"http://127.0.0.1:{self.port}/nowhere")
        self.assertFalse(self.tried().is_well)

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_is_not_reached_at_an_address_that_is_not_allowed(self) -> None:
        with pytest.raises(EgressRefused, match=r"127\.0\.0\.1 is not a public address"):
            append(numbered(1), batch_seconds=0)
        self.assertFalse(self.storage.objects.get("lake"))

    def test_takes_no_key_that_is_exchanged_elsewhere(self) -> None:
        for key in (
            {"type": "service_account", "token_uri": "http://169.254.169.254/token"},
            {"type": "external_account", "token_uri": "https://oauth2.googleapis.com/token"},
        ):
            with self.subTest(key=key):
                credentials = {"service_account": json.dumps(key)}
                self.leads_to(
                    "https://storage.googleapis.com/lake", auth="google_service_account", credentials=credentials
                )
                with pytest.raises(SystemRefused, match="service_account"):
                    append(numbered(1), batch_seconds=0)


@pytest.mark.skipif(bool(missing()), reason=missing())
class AContainerOfAzure(ObjectsTestCase):
    address: str
    container: Any

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.address = cls.enterClassContext(azurite())
        client = import_module("azure.storage.blob").BlobServiceClient(
            f"{cls.address}/{ACCOUNT}", credential={"account_name": ACCOUNT, "account_key": KEY}
        )
        cls.addClassCleanup(client.close)
        cls.container = client.create_container("lake")

    def setUp(self) -> None:
        super().setUp()
        self.leads_to(f"{ACCOUNT}/lake/raw")

    def leads_to(self, path: str, *, auth: str = "azure_key", **credentials: str) -> None:
        Connection.objects.all().delete()
        Connection(
            name="lake",
            kind="azure",
            base_url=f"{self.address}/{path}",
            auth=auth,
            auth_settings={"account": ACCOUNT},
            credentials=credentials or {"account_key": KEY},
        ).save()

    def taken_out(self) -> dict[str, bytes]:
        """Return what is there by its names, and leave nothing."""
        found = {}
        for name in list(self.container.list_blob_names()):
            found[name] = self.container.download_blob(name).readall()
            self.container.delete_blob(name)
        return found

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_gets_a_blob_for_a_batch(self) -> None:
        with pytest.raises(StillRunning):
            append(numbered(1), batch_events=2)
        append(numbered(2), batch_events=2)

        ((name, content),) = self.taken_out().items()

        self.assertRegex(name, NAME)
        self.assertEqual(numbers_of(content), [1, 2])

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_takes_a_shared_access_signature_from_the_button_too(self) -> None:
        blob = import_module("azure.storage.blob")
        sas = blob.generate_container_sas(
            ACCOUNT,
            "lake",
            account_key=KEY,
            permission=blob.ContainerSasPermissions(create=True, write=True),
            expiry=timezone.now() + timedelta(hours=1),
        )
        self.leads_to(f"{ACCOUNT}/lake", auth="azure_sas", sas_token=f"?{sas}")

        append(numbered(1), batch_seconds=0)

        self.assertEqual([numbers_of(content) for content in self.taken_out().values()], [[1]])
        trials = [self.tried(), self.tried()]  # with no more rights than that
        self.assertEqual(
            [trial.text for trial in trials], [f"lake took the object {name}" for name in self.taken_out()]
        )
        self.leads_to(f"{ACCOUNT}/nowhere", account_key=KEY)
        self.assertIn("no such container", self.tried().text)

    @override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
    def test_that_there_is_not_or_refuses_the_key_is_a_dead_letter_that_names_none(self) -> None:
        for path, key in ((f"{ACCOUNT}/nowhere", KEY), (f"{ACCOUNT}/lake", "c29tZXRoaW5nIGVsc2U=")):
            with self.subTest(path=path):
                self.leads_to(path, account_key=key)
                with pytest.raises(SystemRefused, match="no such container, or the key may not") as refused:
                    append(numbered(1), batch_seconds=0)
                self.assertNotIn(key, str(refused.value))
        self.leads_to("another/lake")
        with pytest.raises(SystemRefused, match="names the account neither"):
            append(numbered(1), batch_seconds=0)

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_is_not_reached_at_an_address_that_is_not_allowed(self) -> None:
        with pytest.raises(EgressRefused, match=r"127\.0\.0\.1 is not a public address"):
            append(numbered(1), batch_seconds=0)
        self.assertEqual(self.taken_out(), {})
