"""``manage.py doctor``: what is wrong, and how to mend it."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from deliveries.doctor import examine
from deliveries.doctor.symptoms import Result
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Look at settings, files, database, keys, endpoints, workers and queue; change nothing."""

    help = (
        "Looks at everything that a hub needs (settings, files, disk, database, keys, endpoints, workers, queue), says "
        "what is wrong and how to mend it. Changes nothing. Run it as the user, and with the environment, of the hub."
    )
    examples = (
        ("what is wrong?", "doctor"),
        ("does the public address lead here, and do traces and errors arrive?", "doctor --reach"),
        ("for a monitoring system", "doctor --json"),
    )
    exit_codes = "0 no problem (there may be warnings), 1 a problem"
    requires_system_checks = []  # they are among what it looks at

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the form of the answer, and how far to look."""
        parser.add_argument(
            "--reach",
            action="store_true",
            help="also ask HUB_BASE_URL, the collector of traces and Sentry's host, from here, for a sign of life",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, and tell."""
        results = []
        for result in examine(timezone.now(), outside=options["reach"]):
            results.append(result)
            if not options["json"]:
                self._show(result)
        levels = [symptom.level for result in results for symptom in result.symptoms]
        problems, warnings = levels.count("problem"), levels.count("warning")
        if options["json"]:
            self.write_json({"ok": not problems, "checks": [result.as_json() for result in results]})
        else:
            self.stdout.write(_summary(problems, warnings))
        if problems:
            sys.exit(1)

    def _show(self, result: Result) -> None:
        if not result.symptoms:
            fact = f": {result.fact}" if result.fact else ""
            self.stdout.write(f"{self.style.SUCCESS('ok      ')}  {result.check}{fact}")
        for symptom in result.symptoms:
            style = self.style.ERROR if symptom.level == "problem" else self.style.WARNING
            self.stdout.write(f"{style(f'{symptom.level:<8}')}  {result.check}: {symptom.text}")
            self.stdout.write(f"{'':<10}-> {symptom.mend}")


def _summary(problems: int, warnings: int) -> str:
    counts = [f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in ((problems, "problem"), (warnings, "warning")) if n]
    return ", ".join(counts) or "no problem found"
