"""``manage.py apply FILE.yaml``: make the hub as a file says, after a look at the plan."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from deliveries.configuration.applying import apply, rehearse
from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.plan import Change, Plan, compare
from deliveries.configuration.reading import MOST_BYTES, Document, read
from deliveries.management.command import HubCommand, acting_user, add_user_option

#: The exit code of a dry run that found a difference.
DRIFT = 3

_SIGNS = {"create": "+", "change": "~", "delete": "-"}
_VERBS = {"create": "create", "change": "change", "delete": "retire"}


class Command(HubCommand):
    """Show the plan, ask, and apply it in one transaction. The second time there is nothing to change."""

    help = (
        "Makes the hub as a configuration file says: shows what would be created, changed and retired, asks, and "
        "applies it in one transaction. Only the kinds that the file names (endpoints, routes) are touched."
    )
    examples = (
        ("what would change?", "apply hub.yaml --dry-run"),
        ("show it, ask, and do it", "apply hub.yaml"),
        ("in a deployment, where nobody can be asked", "apply hub.yaml --yes --user deploy"),
        ("in CI: fail if the hub is not as the file says", "apply hub.yaml --dry-run --json > plan.json"),
    )  # fmt: skip
    exit_codes = "0 applied, or nothing to change; 1 failed, or nothing was applied; 3 --dry-run found a difference"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file and what to do with it."""
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="only show the plan; exit with 3 if there is one")
        parser.add_argument("--yes", action="store_true", help="apply without asking")
        parser.add_argument(
            "--json", action="store_true", help="print the plan as JSON; then --yes or --dry-run is needed"
        )
        add_user_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, show, ask, apply."""
        try:
            document = read(_read(options["file"]))
            plan = compare(document)
            warnings = rehearse(document, plan)
            self._decide(document, plan, warnings, options)
        except ConfigurationError as exc:
            raise CommandError("; ".join(exc.problems) if len(exc.problems) == 1 else _listed(exc.problems)) from exc
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc)) from exc

    def _decide(self, document: Document, plan: Plan, warnings: list[str], options: dict[str, Any]) -> None:
        wanted = bool(plan.changes) and not options["dry_run"]
        if not options["json"]:
            self._show(plan, warnings)
        if wanted and not options["yes"]:
            self._ask(options)
        if wanted:
            plan = apply(document, plan, by=acting_user(options["user"]))
        if options["json"]:
            self.write_json({"changes": plan.as_json(), "warnings": warnings, "applied": wanted})
        elif wanted:
            self.stdout.write(f"applied: {_summary(plan, done=True)}")
        if plan.changes and options["dry_run"]:
            sys.exit(DRIFT)

    def _show(self, plan: Plan, warnings: list[str]) -> None:
        for change in plan.changes:
            self.stdout.write("\n".join(_lines(change)))
        for warning in warnings:
            self.stderr.write(self.style.WARNING(f"warning: {warning}"))
        self.stdout.write(_summary(plan) if plan.changes else "nothing to change")

    def _ask(self, options: dict[str, Any]) -> None:
        if options["json"] or options["file"] == "-" or not sys.stdin.isatty():
            raise CommandError("nothing was applied: nobody can be asked here; give --yes, or --dry-run to only look")
        if input("Apply? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("nothing was applied")


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(path).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}") from exc


def _lines(change: Change) -> list[str]:
    lines = [f"{_SIGNS[change.action]} {_VERBS[change.action]} {change.label}"]
    for difference in change.differences:
        after = "nothing" if difference.after is None else _text(difference.after)
        if difference.before is None:
            lines.append(f"    {difference.name}: {after}")
        else:
            lines.append(f"    {difference.name}: {_text(difference.before)} -> {after}")
    return lines


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _summary(plan: Plan, *, done: bool = False) -> str:
    words = ("created", "changed", "retired") if done else ("to create", "to change", "to retire")
    counts = (plan.count("create"), plan.count("change"), plan.count("delete"))
    return ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True))


def _listed(problems: list[str]) -> str:
    return "\n".join(["the file cannot be applied:", *(f"  {problem}" for problem in problems)])
