"""``manage.py prune``: remove what has been kept for long enough."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from deliveries.retention import prune_answers, prune_audit_log, prune_rejections


class Command(BaseCommand):
    """Remove what is past its age. Can be run at any time, and twice."""

    help = (
        "Removes rejections older than HUB_REJECTION_DAYS, entries of the audit log older than HUB_AUDIT_DAYS, "
        "and what else has been kept for long enough."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take ``--dry-run``."""
        parser.add_argument("--dry-run", action="store_true", help="only say how many would go")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Print how many went."""
        now = timezone.now()
        count = prune_rejections(now=now, dry_run=dry_run)
        entries = prune_audit_log(now=now, dry_run=dry_run)
        answers = prune_answers(now=now, dry_run=dry_run)
        parts = [
            _counted(count, "rejection"),
            _counted(entries, "audit entry", "audit entries"),
            _counted(answers, "stored answer"),
        ]
        self.stdout.write(f"{'would prune' if dry_run else 'pruned'} {', '.join(parts)}")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
