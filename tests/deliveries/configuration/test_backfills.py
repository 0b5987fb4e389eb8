"""Backfills in a configuration file."""

from __future__ import annotations

from deliveries.models import Backfill
from tests.deliveries.configuration.cases import ConfigurationTestCase

FILE = """\
version: 1
connections:
  - {name: github, base_url: "https://api.github.com", auth: bearer, credentials: {token: env:HUB_SECRET_ORDERS}}
endpoints:
  - {slug: code, provider: github}
backfills:
  - endpoint: code
    connection: github
    source: {repository: octo-org/hello, hook: 42}
    interval_minutes: 30
"""


class BackfillTests(ConfigurationTestCase):
    def test_are_made_changed_and_removed(self) -> None:
        self.apply(FILE)
        row = Backfill.objects.get()
        self.assertEqual((row.connection.name, row.interval_minutes), ("github", 30))
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
    connection: github
    source:
      hook: 42
      repository: octo-org/hello
    interval_minutes: 30
""",
        )
        self.assertEqual((self.export(), self.drift(text)), (text, []))

    def test_go_with_their_connection_and_not_without(self) -> None:
        self.apply(FILE)
        without = "version: 1\nconnections: []\n"
        self.assertIn("the backfill of code", self.refused(without))

        self.apply(f"{without}backfills: []\n")
        self.assertFalse(Backfill.objects.exists())

    def test_need_a_connection_and_a_provider_that_can_be_asked(self) -> None:
        self.assertIn("connection", self.refused(FILE.replace("    connection: github\n", "")))
        self.assertIn("connection", self.refused(FILE.replace("    connection: github\n", "    connection: nobody\n")))
        self.assertIn("cannot be asked", self.refused(FILE.replace("provider: github", "provider: meta")))
        self.assertFalse(Backfill.objects.exists())
