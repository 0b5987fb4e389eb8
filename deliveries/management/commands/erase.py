"""``manage.py erase``: erase everything that holds a value."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from deliveries import erasing
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Find what holds a value, in batches, and erase it; or only count it."""

    help = (
        "Erases bodies, headers, other bodies under the same id, what attempts and steps said, and refused requests of "
        "everything that holds a value. The rows of events stay, and a proof of who had what erased when, with a keyed "
        "hash of the value. What is under a legal hold, and what runs at the moment, is left and named."
    )

    examples = (
        ("how much is it?", "erase --value ada@example.com --dry-run"),
        ("erase whatever holds it, anywhere", "erase --value ada@example.com"),
        ("erase the payloads in which a field has it", "erase --value cus_123 --path customer.id"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the value, where it has to be, ``--dry-run`` and the form of the answer."""
        parser.add_argument("--value", required=True, help="what is looked for")
        parser.add_argument("--path", default="", help="a JMESPath that has to find it in the payload; else anywhere")
        parser.add_argument("--dry-run", action="store_true", help="only count, and forget the order")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, value: str, path: str, dry_run: bool, **options: Any) -> None:
        """Print how many rows of each kind went, and the id of the proof."""
        try:
            erasure = erasing.work_off(erasing.order(value, path=path, by=None))
        except erasing.NotErased as exc:
            raise CommandError(str(exc)) from exc
        if dry_run:
            erasing.cancel(erasure, by=None)
        else:
            erasing.confirm(erasure, by=None)
            erasure = erasing.work_off(erasure)
        if options["json"]:
            self.write_json({**erasure.counts, "left": erasure.left, "proof": erasure.pk, "dry_run": dry_run})
            return
        counted = ", ".join(f"{count} {kind}" for kind, count in erasure.counts.items()) or "nothing"
        left = f"; left {len(erasure.left)} events (held, or running): {' '.join(erasure.left)}" if erasure.left else ""
        self.stdout.write(f"{'would erase' if dry_run else 'erased'} {counted}{left}; proof {erasure.pk}")
