"""``manage.py prune``: remove what has been kept for long enough."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from deliveries.management.command import HubCommand
from deliveries.retention import prune_rejections


class Command(HubCommand):
    """Remove rejections, their counts and lists of old replays past their age. Can be run at any time, and twice."""

    help = "Removes rejections older than HUB_REJECTION_DAYS, and what else has been kept for long enough."

    examples = (
        ("how many would go?", "prune --dry-run"),
        ("every night, from cron (the workers do it too, bit by bit)", "prune"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take ``--dry-run`` and the form of the answer."""
        parser.add_argument("--dry-run", action="store_true", help="only say how many would go")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Print how many went."""
        with self.progress("pruning") as report:
            count = prune_rejections(now=timezone.now(), dry_run=dry_run, report=report)
        if options["json"]:
            self.write_json({"rejections": count, "dry_run": dry_run})
            return
        self.stdout.write(f"{'would prune' if dry_run else 'pruned'} {count} rejection{'' if count == 1 else 's'}")
