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
from deliveries.backfilling import api_by
from deliveries.management.command import HubCommand
from deliveries.management.durations import parse_duration
from deliveries.models import Backfill
from deliveries.receiving.refusals import Unavailable
from integrations.connectors.bearer import TokenApi
from integrations.errors import ConnectionMissing, ReferenceMissing
from integrations.history import Api, History, NotAnswered, NotThere, histories
from integrations.models import Connection, Endpoint
from integrations.references import is_reference, resolve
from integrations.schemas import check_schema

_LONGEST = timedelta(days=365)


class Command(HubCommand):
    """Run a backfill to its end; one that was broken off is run again, and finds what it stored to be known."""

    help = "Asks the provider what it sent to an endpoint, and stores what never arrived, marked as backfilled."
    examples = (
        ("where a backfill is set up: what was sent in vain in the last two hours?", "backfill github --since 2h"),
        (
            "what would that be? by a connection, without anything set up",
            (
                "backfill github --since 2h --connection github --dry-run "
                """--source '{"repository": "octo-org/hello", "hook": 42}'"""
            ),
        ),
        (
            "store what Stripe sent of one type, with a token alone",
            'backfill stripe --since 2d --token env:HUB_SECRET_STRIPE --source \'{"types": ["invoice.paid"]}\'',
        ),
    )
    exit_codes = "0 done; 1 the provider could not be asked to the end, or events could not be had or kept"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the endpoint, the time, and how to ask."""
        parser.add_argument("endpoint", help="the endpoint's slug")
        parser.add_argument("--since", required=True, metavar="DURATION", help="how far back, such as 30m, 2h or 3d")
        asking = parser.add_mutually_exclusive_group()
        asking.add_argument("--connection", metavar="NAME", help="ask by it; else as the endpoint's backfill is set up")
        asking.add_argument("--token", metavar="REFERENCE", help="env:HUB_SECRET_... or file:NAME, instead")
        parser.add_argument("--source", metavar="JSON", help="which hook, or which types; else as it is set up, or {}")
        parser.add_argument("--base-url", metavar="URL", help="with --token: of the API, if not the usual one")
        parser.add_argument("--dry-run", action="store_true", help="only count what is missing")
        parser.add_argument("--json", action="store_true", help="print the counts as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts, also where it ends early."""
        row = Endpoint.objects.live().filter(slug=options["endpoint"].replace("\x00", "")).first()
        if row is None:
            raise CommandError(f"there is no endpoint {options['endpoint']!r}")
        history = _history_of(row)
        settings, api = _settings(row, history, options["source"]), _api(row, history, options)
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


def _settings(row: Endpoint, history: History, text: str | None) -> dict[str, Any]:
    if text is None:
        found = Backfill.objects.filter(endpoint=row).first()
        return dict(found.source) if found else _checked(history, "{}")
    return _checked(history, text)


def _checked(history: History, text: str) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads(text)
        check_schema(settings, history.settings_schema)
    except ValueError:
        raise CommandError("--source has to be a JSON object") from None
    except ValidationError as exc:
        raise CommandError(f"--source: {'; '.join(exc.messages)}") from None
    return settings


def _api(row: Endpoint, history: History, options: dict[str, Any]) -> Api:
    try:
        return _by_token(history, options) if options["token"] else api_by(_connection(row, options["connection"]), row)
    except (ReferenceMissing, ConnectionMissing, NotBackfilled) as exc:
        raise CommandError(str(exc)) from None


def _connection(row: Endpoint, name: str | None) -> Connection:
    if name is not None:
        found = Connection.objects.live().filter(name=name.replace("\x00", "")).first()
        if found is None:
            raise CommandError(f"there is no connection {name!r}")
        return found
    backfill = Backfill.objects.filter(endpoint=row).select_related("connection").first()
    if backfill is None:
        raise CommandError(f"no backfill of {row.slug} is set up: give --connection NAME, or --token REFERENCE")
    return backfill.connection


def _by_token(history: History, options: dict[str, Any]) -> Api:
    # A token on a command line is read by everyone on the machine, and kept by the shell.
    if not is_reference(options["token"]):
        raise CommandError("--token has to be a reference, env:HUB_SECRET_... or file:NAME, not the token itself")
    base_url = options["base_url"] or history.base_url
    if not base_url:
        raise CommandError(f"--base-url is missing: {history.base_url_help}")
    return TokenApi(base_url, resolve(options["token"]), header=history.header, prefix=history.prefix)


def _line(progress: Progress, dry_run: bool) -> str:
    known = f"of {progress.asked} that were sent {progress.known} are known"
    if dry_run:
        return f"{known}, {progress.missing} are missing"
    return f"{known}, {progress.missing} were missing: {progress.stored} stored, {progress.failed} failed"
