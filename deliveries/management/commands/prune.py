"""``manage.py prune``: remove what has been kept for long enough."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries.management.command import HubCommand
from deliveries.retention import prune_answers, prune_audit_log, prune_rejections
from deliveries.retention.sweep import prune_events

#: What goes of events, and how the line says it.
_OF_EVENTS = (
    ("events", "event"),
    ("deliveries", "delivery", "deliveries"),
    ("bodies", "body", "bodies"),
    ("headers", "set of headers", "sets of headers"),
    ("attempts", "event's attempts", "events' attempts"),
)


class Command(HubCommand):
    """Remove what is past its age. Can be run at any time, and twice."""

    help = (
        "Removes what is past its age: bodies, headers and what attempts said, dead letters, whole events with their "
        "deliveries, rejections, entries of the audit log, and what else has been kept for long enough. The ages are "
        "the settings HUB_..._DAYS and those of endpoints."
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
        try:
            events = prune_events(now=now, dry_run=dry_run)
        except OSError as exc:
            raise CommandError(f"the archive cannot be written, and no more was removed: {exc}") from exc
        if options["json"]:
            found = {"rejections": count, "audit_entries": entries, "stored_answers": answers}
            found |= {kind: events[kind] for kind, *_ in _OF_EVENTS}
            self.write_json({**found, "dry_run": dry_run})
            return
        parts = [
            _counted(count, "rejection"),
            _counted(entries, "audit entry", "audit entries"),
            _counted(answers, "stored answer"),
            *(_counted(events[kind], *words) for kind, *words in _OF_EVENTS),
        ]
        self.stdout.write(f"{'would prune' if dry_run else 'pruned'} {', '.join(parts)}")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
