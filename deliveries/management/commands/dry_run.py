"""``manage.py dry_run``: what a route would do with past events; nothing is sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from deliveries.dry_run import MOST, Tried, as_json, dry_run, past_events
from deliveries.management.command import HubCommand
from integrations.models import Route


class Command(HubCommand):
    """Print a line for each event, or everything as JSON."""

    help = "Shows what a route would do with the newest events of its endpoint, beside what was done. Nothing is sent."

    examples = (
        ("the last ten events", "dry_run 0199c1d2-0000-7000-8000-000000000000"),
        ("for a program", "dry_run 0199c1d2-0000-7000-8000-000000000000 --last 50 --format json"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the route, and how many events."""
        parser.add_argument("route", type=UUID, metavar="ROUTE", help="the route's id")
        parser.add_argument("--last", type=int, default=10, metavar="N", help=f"so many of the newest, 1 to {MOST}")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one line with everything")

    def handle(self, *args: Any, **options: Any) -> None:
        """Try the route on the events."""
        route = Route.objects.live().select_related("endpoint").filter(pk=options["route"]).first()
        if route is None:
            raise CommandError(f"there is no route {options['route']}")
        if not 1 <= options["last"] <= MOST:
            raise CommandError(f"--last is a number from 1 to {MOST}")
        rows = dry_run(route, past_events(route, last=options["last"]))
        if options["format"] == "json":
            self.write_json([as_json(row) for row in rows])
            return
        for row in rows:
            self.stdout.write(_line(row))
        self.stdout.write(f"tried on {len(rows)} events, {sum(row.differs for row in rows)} differ; nothing was sent")


def _line(row: Tried) -> str:
    taken = {True: "taken", False: "left", None: "not tried"}[row.told.is_taken]
    then = ", ".join(str(each.delivery.status) for each in row.then) or "no delivery"
    said = row.told.note or row.told.call
    marks = [taken, f"then: {then}", *([said] if said else []), *(["differs"] if row.differs else [])]
    return f"{row.event.pk} {row.event.event_type or '(no type)'}: {'; '.join(marks)}"
