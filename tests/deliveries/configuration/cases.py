"""What the tests of the configuration file share: the real commands, on rows of a test's own."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase

from deliveries.models import AuditEntry
from tests.deliveries.api.cases import make_user

#: What the references of the tests lead to.
VARIABLES = {
    "HUB_SECRET_ORDERS": "orders-secret-0123456789",
    "HUB_SECRET_NEXT": "next-secret-0123456789",
    "HUB_SECRET_VERIFY": "verify-token-0123456789",
}
DRIFT = 3


class ConfigurationTestCase(TestCase):
    """A test that exports and applies, as a superuser named ada."""

    def setUp(self) -> None:
        self.user = make_user("ada", is_superuser=True)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.dict(os.environ, VARIABLES))

    def export(self, *options: str) -> str:
        out = io.StringIO()
        call_command("export", *options, stdout=out)
        return out.getvalue()

    def apply(self, text: str, *options: str) -> str:
        """Apply the file ``text`` with ``--yes`` unless options are given; return what was printed."""
        path = self.folder / "hub.yaml"
        path.write_text(text, encoding="utf-8")
        out = io.StringIO()
        self.warnings = io.StringIO()
        call_command("apply", str(path), *(options or ("--yes",)), stdout=out, stderr=self.warnings)
        return out.getvalue()

    def drift(self, text: str) -> list[dict[str, Any]]:
        """Return the changes of a dry run, and check that the exit code says whether there are any."""
        path = self.folder / "drift.yaml"
        path.write_text(text, encoding="utf-8")
        out, code = io.StringIO(), 0
        try:
            call_command("apply", str(path), "--dry-run", "--json", stdout=out)
        except SystemExit as exc:
            code = int(exc.code or 0)
        changes: list[dict[str, Any]] = json.loads(out.getvalue())["changes"]
        self.assertEqual(code, DRIFT if changes else 0)
        return changes

    def refused(self, text: str, *options: str) -> str:
        """Apply what has to fail; return what the operator reads."""
        with self.assertRaises(CommandError) as caught:
            self.apply(text, *options)
        return str(caught.exception)

    def logged(self) -> list[str]:
        entries = AuditEntry.objects.changes().order_by("id").values_list("via", "message")
        return [f"{via}: {message}" if via == "apply" else message for via, message in entries]
