"""``manage.py backfill``."""

from __future__ import annotations

import io
import json
import os
from datetime import timedelta
from ipaddress import ip_network
from unittest import mock

from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.models import AuditEntry, Backfill, Event
from integrations.models import Connection, EndpointGroup
from tests.deliveries.test_backfilling import make_connection
from tests.factories import make_endpoint
from tests.integrations.history import TOKEN, GitHub, serving

SETTINGS = '{"repository": "octo-org/hello", "hook": 42}'


@override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.0/8")])
@mock.patch.dict(os.environ, {"HUB_SECRET_API": TOKEN, "HUB_SECRET_OLD": "no-longer-good"})
class BackfillCommandTests(TestCase):
    def setUp(self) -> None:
        make_endpoint(slug="gh", provider="github", secret="s3cret")
        now = timezone.now()
        self.server = GitHub([(f"guid-{n}", (now - timedelta(minutes=10 * n)).isoformat()) for n in range(1, 6)])

    def run_it(self, *words: str, token: str = "env:HUB_SECRET_API", settings: str = SETTINGS) -> str:
        out = io.StringIO()
        with serving(self.server) as client:
            base = ["--base-url", str(client.base_url), "--token", token, "--source", settings]
            try:
                call_command("backfill", "gh", "--since", "45m", *base, *words, stdout=out, stderr=io.StringIO())
            finally:
                self.out = out.getvalue()
        return self.out

    def test_stores_what_is_missing_and_notes_it(self) -> None:
        self.assertEqual(self.run_it(), "of 4 that were sent 0 are known, 4 were missing: 4 stored, 0 failed\n")
        self.assertEqual(Event.objects.filter(verdict="backfilled").count(), 4)
        entry = AuditEntry.objects.get()
        self.assertEqual((entry.who, entry.object_name, entry.message), ("command line", "gh", "Backfilled 4."))

    def test_only_counts_in_a_dry_run(self) -> None:
        counts = json.loads(self.run_it("--dry-run", "--json"))

        self.assertEqual((counts["missing"], counts["stored"]), (4, 0))
        self.assertFalse(Event.objects.exists())
        self.assertFalse(AuditEntry.objects.exists())

    def test_fails_with_what_it_stored_where_the_provider_fails_half_way(self) -> None:
        self.server.failing["v2"] = 500
        with self.assertRaisesMessage(CommandError, "the provider answered with status 500; what was stored stays"):
            self.run_it("--json")

        self.assertEqual(json.loads(self.out)["stored"], 2)

    def test_fails_where_a_body_is_lost(self) -> None:
        self.server.failing["999"] = 404
        with self.assertRaisesMessage(CommandError, "1 could not be had or kept"):
            self.run_it()

    def test_says_that_a_token_is_refused_without_showing_it(self) -> None:
        with self.assertRaises(CommandError) as caught:
            self.run_it(token="env:HUB_SECRET_OLD")

        self.assertIn("refuses the credentials", str(caught.exception))
        self.assertNotIn("no-longer-good", str(caught.exception))

    def test_takes_no_token_on_the_command_line(self) -> None:
        with self.assertRaisesMessage(CommandError, "has to be a reference"):
            self.run_it(token=TOKEN)

    def test_names_settings_that_cannot_be_asked_with(self) -> None:
        for settings in ("no", "[]", '{"repository": "hello", "hook": 42}', '{"repository": "octo-org/hello"}'):
            with self.subTest(settings), self.assertRaisesMessage(CommandError, "--source"):
                self.run_it(settings=settings)

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_reaches_no_private_address_that_is_not_allowed(self) -> None:
        with self.assertRaisesMessage(CommandError, "is not a public address"):
            self.run_it()

    def test_wants_to_know_by_what_to_ask(self) -> None:
        make_connection(name="theirs", group=EndpointGroup.objects.create(name="theirs"))
        for options, text in (
            ([], "no backfill of gh is set up"),
            (["--connection", "nobody"], "there is no connection 'nobody'"),
            (["--connection", "theirs"], "not for endpoints of this group"),
        ):
            with self.subTest(options), self.assertRaisesMessage(CommandError, text):
                call_command("backfill", "gh", "--since", "2h", "--source", SETTINGS, *options)

    def test_names_the_providers_that_can_be_asked(self) -> None:
        make_endpoint(slug="line", provider="line")
        with self.assertRaisesMessage(CommandError, "these can: github, shopify, stripe"):
            call_command("backfill", "line", "--since", "2h", "--token", "env:HUB_SECRET_API")


@override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.0/8")])
class ByConnectionTests(TransactionTestCase):
    def run_it(self, *words: str) -> str:
        out = io.StringIO()
        server = GitHub([("guid-1", (timezone.now() - timedelta(minutes=10)).isoformat())])
        with serving(server) as api:
            Connection.objects.update(base_url=str(api.base_url))
            call_command("backfill", "gh", "--since", "45m", *words, stdout=out, stderr=io.StringIO())
        return out.getvalue()

    def test_asks_as_the_backfill_is_set_up_or_by_another_connection(self) -> None:
        endpoint = make_endpoint(slug="gh", provider="github", secret="s3cret")
        make_connection(name="another")
        with self.assertRaisesMessage(CommandError, "no backfill of gh is set up"):
            self.run_it()
        self.assertIn("1 are missing", self.run_it("--connection", "another", "--source", SETTINGS, "--dry-run"))

        Backfill.objects.create(endpoint=endpoint, connection=make_connection(), source=json.loads(SETTINGS))
        self.assertIn("1 stored", self.run_it())
        self.assertEqual(Event.objects.get().verdict, "backfilled")
