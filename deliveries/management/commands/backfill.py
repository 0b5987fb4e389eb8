"""``manage.py backfill``: ask a provider what it sent, and store what never arrived."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries import audit
from deliveries.backfill import NotBackfilled, Progress, backfill
from deliveries.backfilling import api_for
from deliveries.management.command import HubCommand
from deliveries.management.durations import parse_duration
from deliveries.receiving.refusals import Unavailable
from integrations.errors import ReferenceMissing
from integrations.history import Api, History, NotAnswered, NotThere, histories
from integrations.models import Endpoint
from integrations.references import is_reference, resolve
from integrations.schemas import check_schema

_LONGEST = timedelta(days=365)


class Command(HubCommand):
    """Run a backfill to its end; one that was broken off is run again, and finds what it stored to be known."""

    help = "Asks the provider what it sent to an endpoint, and stores what never arrived, marked as backfilled."
    examples = (
        (
            "what did GitHub send in vain while the hub was down?",
            (
                "backfill github --since 2h --token env:HUB_SECRET_GITHUB --dry-run "
                """--source '{"repository": "octo-org/hello", "hook": 42}'"""
            ),
        ),
        (
            "store what Stripe sent of one type",
            'backfill stripe --since 2d --token env:HUB_SECRET_STRIPE --source \'{"types": ["invoice.paid"]}\'',
        ),
    )
    exit_codes = "0 done; 1 the provider could not be asked to the end, or events could not be had or kept"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the endpoint, the time, and how to ask."""
        parser.add_argument("endpoint", help="the endpoint's slug")
        parser.add_argument("--since", required=True, metavar="DURATION", help="how far back, such as 30m, 2h or 3d")
        parser.add_argument("--token", required=True, metavar="REFERENCE", help="env:HUB_SECRET_... or file:NAME")
        parser.add_argument("--source", default="{}", metavar="JSON", help="which hook, or which types; an object")
        parser.add_argument("--base-url", metavar="URL", help="of the API, where it is not the provider's usual one")
        parser.add_argument("--dry-run", action="store_true", help="only count what is missing")
        parser.add_argument("--json", action="store_true", help="print the counts as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts, also where it ends early."""
        row = Endpoint.objects.live().filter(slug=options["endpoint"].replace("\x00", "")).first()
        if row is None:
            raise CommandError(f"there is no endpoint {options['endpoint']!r}")
        history = _history_of(row)
        settings, api = _settings(history, options["source"]), _api(history, options)
        since = parse_duration(options["since"], option="--since", longest=_LONGEST)
        if since > history.kept:
            self.stderr.write(f"{row.provider} knows only of the last {history.kept.days} days")
        if since <= history.settled:
            hours = history.settled.total_seconds() / 3600
            raise CommandError(
                f"{row.provider} is asked only about what is older than {hours:g} hours: it may come yet"
            )
        progress, problem = self._run(row, history, api, settings, since=since, dry_run=options["dry_run"])
        self.stdout.write(json.dumps(progress.as_json()) if options["json"] else _line(progress, options["dry_run"]))
        if progress.stored:
            audit.record(
                audit.Action.ORDERED, row, by=None, who="command line", message=f"Backfilled {progress.stored}."
            )
        if problem:
            raise CommandError(f"{problem}; what was stored stays, run it again")
        if progress.failed:
            raise CommandError(f"{progress.failed} could not be had or kept; the log names them")

    def _run(
        self,
        row: Endpoint,
        history: History,
        api: Api,
        settings: dict[str, Any],
        *,
        since: timedelta,
        dry_run: bool,
    ) -> tuple[Progress, str]:
        """Return how far it came, and what ended it early or ""."""
        now, progress = timezone.now(), Progress()
        pages = backfill(row, history, api, settings, since=now - since, until=now - history.settled, dry_run=dry_run)
        try:
            with self.progress("asking") as report:
                for progress in pages:
                    report(progress.known + progress.stored + progress.failed, progress.asked)
        except (NotAnswered, NotThere, NotBackfilled) as exc:
            return progress, str(exc)
        except Unavailable:
            return progress, "a secret or a setting of the endpoint cannot be decrypted"
        return progress, ""


def _history_of(row: Endpoint) -> History:
    history = histories.get(row.provider)
    if history is None:
        raise CommandError(f"{row.provider} cannot be asked what it sent; these can: {', '.join(histories)}")
    return history


def _settings(history: History, text: str) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads(text)
        check_schema(settings, history.settings_schema)
    except ValueError:
        raise CommandError("--source has to be a JSON object") from None
    except ValidationError as exc:
        raise CommandError(f"--source: {'; '.join(exc.messages)}") from None
    return settings


def _api(history: History, options: dict[str, Any]) -> Api:
    # A token on a command line is read by everyone on the machine, and kept by the shell.
    if not is_reference(options["token"]):
        raise CommandError("--token has to be a reference, env:HUB_SECRET_... or file:NAME, not the token itself")
    try:
        return api_for(history, base_url=options["base_url"] or "", token=resolve(options["token"]))
    except (ReferenceMissing, NotBackfilled) as exc:
        raise CommandError(str(exc)) from None


def _line(progress: Progress, dry_run: bool) -> str:
    known = f"of {progress.asked} that were sent {progress.known} are known"
    if dry_run:
        return f"{known}, {progress.missing} are missing"
    return f"{known}, {progress.missing} were missing: {progress.stored} stored, {progress.failed} failed"
