"""``manage.py prune``: remove what has been kept for long enough."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from deliveries.retention import prune_rejections


class Command(BaseCommand):
    """Remove rejections, their counts and lists of old replays past their age. Can be run at any time, and twice."""

    help = "Removes rejections older than HUB_REJECTION_DAYS, and what else has been kept for long enough."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take ``--dry-run``."""
        parser.add_argument("--dry-run", action="store_true", help="only say how many would go")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Print how many went."""
        count = prune_rejections(now=timezone.now(), dry_run=dry_run)
        self.stdout.write(f"{'would prune' if dry_run else 'pruned'} {count} rejection{'' if count == 1 else 's'}")
