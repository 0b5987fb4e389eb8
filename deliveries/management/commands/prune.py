"""``manage.py prune``: remove what has been kept for long enough."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from deliveries.management.command import HubCommand
from deliveries.retention import prune_answers, prune_audit_log, prune_rejections


class Command(HubCommand):
    """Remove what is past its age. Can be run at any time, and twice."""

    help = (
        "Removes rejections older than HUB_REJECTION_DAYS, entries of the audit log older than HUB_AUDIT_DAYS, "
        "and what else has been kept for long enough."
    )

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
        now = timezone.now()
        with self.progress("pruning") as report:
            count = prune_rejections(now=now, dry_run=dry_run, report=report)
        with self.progress("pruning the audit log") as report:
            entries = prune_audit_log(now=now, dry_run=dry_run, report=report)
        with self.progress("pruning stored answers") as report:
            answers = prune_answers(now=now, dry_run=dry_run, report=report)
        if options["json"]:
            found = {"rejections": count, "audit_entries": entries, "stored_answers": answers}
            self.write_json({**found, "dry_run": dry_run})
            return
        parts = [
            _counted(count, "rejection"),
            _counted(entries, "audit entry", "audit entries"),
            _counted(answers, "stored answer"),
        ]
        self.stdout.write(f"{'would prune' if dry_run else 'pruned'} {', '.join(parts)}")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
