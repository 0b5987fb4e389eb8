"""Backfills in a configuration file."""

from __future__ import annotations

from deliveries.models import Backfill, BackfillRun
from tests.deliveries.configuration.cases import ConfigurationTestCase
from tests.deliveries.test_backfilling import make_backfill
from tests.integrations.history import TOKEN

FILE = """\
version: 1
endpoints:
  - {slug: code, provider: github}
backfills:
  - endpoint: code
    source: {repository: octo-org/hello, hook: 42}
    token: env:HUB_SECRET_ORDERS
    interval_minutes: 30
"""


class BackfillTests(ConfigurationTestCase):
    def test_are_made_changed_and_removed(self) -> None:
        self.apply(FILE)
        row = Backfill.objects.get()
        self.assertEqual((row.token, row.interval_minutes), ("env:HUB_SECRET_ORDERS", 30))
        self.assertIsNotNone(row.next_at)
        self.assertEqual(self.drift(FILE), [])

        self.apply(FILE.replace("    interval_minutes: 30\n", ""))
        row.refresh_from_db()
        self.assertEqual((row.interval_minutes, row.next_at), (None, None))
        self.apply(FILE.partition("backfills:")[0] + "backfills: []\n")
        self.assertFalse(Backfill.objects.exists())
        self.assertIn("apply: changed interval_minutes.", self.logged())

    def test_are_written_with_what_differs_from_the_defaults(self) -> None:
        self.apply(FILE)
        text = self.export()

        self.assertEqual(
            text[text.index("backfills:\n") : text.index("\nschedules:")],
            """\
backfills:
  - endpoint: code
    source:
      hook: 42
      repository: octo-org/hello
    token: env:HUB_SECRET_ORDERS
    interval_minutes: 30
""",
        )
        self.assertEqual((self.export(), self.drift(text)), (text, []))

    def test_keep_a_token_that_is_stored_and_say_how_to_give_it(self) -> None:
        slug = make_backfill(lookback_minutes=60).endpoint.slug
        text = self.export()

        self.assertNotIn(TOKEN, text)
        self.assertIn(f"token: env:HUB_SECRET_{slug.upper().replace('-', '_')}_TOKEN", text)
        self.assertEqual(self.drift(text), [])
        self.apply(text.replace("lookback_minutes: 60", "lookback_minutes: 90"))
        row = Backfill.objects.get()
        self.assertEqual((row.token, row.lookback_minutes), (TOKEN, 90))

    def test_take_no_token_itself(self) -> None:
        plain = FILE.replace("env:HUB_SECRET_ORDERS", "ghp_plain")
        self.assertIn("token: write a reference", self.refused(plain))

    def test_go_to_another_address_with_the_token_alone(self) -> None:
        self.apply(FILE)
        moved = FILE + "    base_url: https://github.example.com/api/v3\n"
        self.assertIn("token: Enter it again", self.refused(moved.replace("    token: env:HUB_SECRET_ORDERS\n", "")))

        self.apply(moved)
        self.assertEqual(Backfill.objects.get().base_url, "https://github.example.com/api/v3")

    def test_need_a_token_to_be_made_and_a_provider_that_can_be_asked(self) -> None:
        self.assertIn("token", self.refused(FILE.replace("    token: env:HUB_SECRET_ORDERS\n", "")))
        self.assertIn("cannot be asked", self.refused(FILE.replace("provider: github", "provider: meta")))
        self.assertFalse(BackfillRun.objects.exists())
