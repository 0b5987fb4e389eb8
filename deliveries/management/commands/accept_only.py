"""``manage.py accept_only on|off|status``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from deliveries.management.command import HubCommand, acting_user, add_user_option
from deliveries.models import AcceptOnly
from deliveries.overload import accept_only


class Command(HubCommand):
    """Switch accept-only mode on or off, or say whether it is on. Can be run twice."""

    help = (
        "In accept-only mode events are verified, stored and acknowledged, and no handler is begun. What runs already "
        "runs to its end, and when the mode is off again everything that waits is handled."
    )
    examples = (
        ("an outside system is being repaired, or the database needs all there is", "accept_only on --note 'ERP move'"),
        ("go on", "accept_only off"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("order", choices=("on", "off", "status"))
        parser.add_argument("--note", default="", help="why, for those who see it")
        add_user_option(parser)

    def handle(self, *args: Any, order: str, note: str, user: str | None, **options: Any) -> None:
        """Do it, and say how it stands."""
        now = timezone.now()
        changed = True
        if order == "on":
            changed = accept_only.switch_on(by=acting_user(user), note=note, now=now)
        elif order == "off":
            changed = accept_only.switch_off(by=acting_user(user), now=now)
        row = AcceptOnly.objects.first()
        already = "" if changed else ", as before"
        if row is None:
            self.stdout.write(f"accept-only mode is off{already}")
        else:
            why = f" ({row.note})" if row.note else ""
            self.stdout.write(
                f"accept-only mode is on{already}, since {row.since:%Y-%m-%d %H:%M} UTC by {row.who}{why}"
            )
