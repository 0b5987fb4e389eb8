"""``manage.py tail``: what comes in and what becomes of it, live."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser, no_translations
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from deliveries.management.command import HubCommand
from deliveries.management.durations import parse_duration
from deliveries.tailing import RECEIVED, STATUSES, Line, Stream
from integrations.models import Endpoint

_LONGEST = timedelta(days=7)


class Command(HubCommand):
    """Print a line for each event, refusal and outcome, until Ctrl-C."""

    help = (
        "Shows the live stream: a line for every event that is received, every request that is refused, and every "
        "attempt's outcome. Ctrl-C ends it."
    )
    examples = (
        ("everything, as it happens", "tail"),
        ("what failed at one endpoint, the last hour first", "tail --endpoint orders --status dead waiting --since 1h"),
        ("for a script", "tail --json --status dead"),
    )  # fmt: skip
    exit_codes = "0 ended by Ctrl-C, or with --once; 1 failed, for the reason in the last line"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the filters."""
        parser.add_argument("--endpoint", default="", metavar="SLUG", help="only this endpoint")
        parser.add_argument("--status", nargs="+", choices=STATUSES, default=STATUSES, help="only these")
        parser.add_argument("--since", metavar="10m", help="begin so long ago; else now")
        parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="how often to look (1)")
        parser.add_argument("--once", action="store_true", help="look once, and end")
        parser.add_argument("--json", action="store_true", help="print a line of JSON for each")

    @no_translations  # programs read it
    def handle(self, *args: Any, **options: Any) -> None:
        """Look again and again."""
        begin = timezone.now()
        if options["since"]:
            begin -= parse_duration(options["since"], option="--since", longest=_LONGEST)
        if options["endpoint"] and not Endpoint.objects.live().filter(slug=options["endpoint"]).exists():
            raise CommandError(f"there is no endpoint {options['endpoint']!r}")
        stream = Stream(since=begin, endpoint=options["endpoint"])
        try:
            while True:
                for line in self._new(stream):
                    if line.status in options["status"]:
                        self._show(line, as_json=options["json"])
                if options["once"]:
                    return
                time.sleep(options["interval"])
        except KeyboardInterrupt:
            self.stderr.write("")  # the next prompt stands on a line of its own

    def _new(self, stream: Stream) -> list[Line]:
        """Return what is new; nothing while the database is away."""
        try:
            lines = stream.new()
        except (OperationalError, InterfaceError):
            if not self._is_away:
                self.stderr.write("the database does not answer; waiting for it")
            self._is_away = True
            connection.close()
            return []
        self._is_away = False
        return lines

    _is_away = False

    def _show(self, line: Line, *, as_json: bool) -> None:
        if as_json:
            self.write_json(line.as_json())
        else:
            where = " / ".join(part for part in (line.endpoint, line.route, line.event_type) if part)
            status = self._painted(line.status)
            local = timezone.localtime(line.at)
            self.stdout.write(f"{local:%H:%M:%S}  {status}  {_plain(where)}  {_plain(line.text)}")
        self.stdout.flush()

    def _painted(self, status: str) -> str:
        text = f"{status:<9}"
        if status == RECEIVED:
            return text
        styles = {"succeeded": self.style.SUCCESS, "waiting": self.style.WARNING}
        return styles.get(status, self.style.ERROR)(text)


def _plain(text: str) -> str:
    """Return what a sender wrote without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
