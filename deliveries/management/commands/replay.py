"""``manage.py replay``: run again all deliveries that match, as a bulk replay that the workers carry out."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.db import Error, close_old_connections
from django.utils import timezone

from deliveries import bulk_replay
from deliveries.api.selections import Unreadable, named, selection_from
from deliveries.management.command import HubCommand
from deliveries.models import Replay, ReplayState, Worker
from deliveries.models.replay import ENDED

_FILTERS = ("status", "endpoint", "route", "handler", "event", "event_type", "created_after", "created_before")
_POLL_SECONDS = 0.5


class Command(HubCommand):
    """Order a bulk replay; with ``--wait`` fail if something of it fails again."""

    help = "Runs finished deliveries again; without --status only dead letters. The workers carry it out."

    examples = (
        ("how many dead letters are there, by route?", "replay --all --dry-run"),
        (
            "those of one endpoint since a moment",
            "replay --endpoint orders --created-after 2026-11-27T06:00:00Z --rate 10",
        ),
        ("in a script that goes on when they have all succeeded", "replay --handler http.forward --wait"),
    )
    exit_codes = "0 ordered (with --wait: all succeeded); 1 failed (with --wait: one failed again); 130 Ctrl-C"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the filters of ``GET /api/v1/deliveries/``, and how to run what they match."""
        chosen = parser.add_argument_group("which deliveries")
        chosen.add_argument(
            "--status", action="append", help="dead, succeeded or discarded; may be given several times"
        )
        chosen.add_argument("--endpoint", help="an endpoint's slug")
        chosen.add_argument("--route", help="a route's id")
        chosen.add_argument("--handler", help="a handler's key, such as http.forward")
        chosen.add_argument("--event", help="an event's id in the hub")
        chosen.add_argument("--event-type", help="the event's type")
        chosen.add_argument("--created-after", metavar="TIME", help="such as 2026-11-22T10:00:00Z; included")
        chosen.add_argument("--created-before", metavar="TIME", help="such as 2026-11-22T12:00:00Z; not included")
        chosen.add_argument("--delivery", action="append", type=UUID, metavar="ID", help="one by one, instead of these")
        chosen.add_argument("--all", action="store_true", help="every dead letter; without it some filter is needed")
        parser.add_argument("--dry-run", action="store_true", help="only count them, by route and status")
        parser.add_argument("--from-start", action="store_true", help="forget the kept results of steps")
        parser.add_argument("--rate", type=float, metavar="N", help="so many a second at most")
        parser.add_argument("--wait", action="store_true", help="until all have ended; exit 1 if one failed again")
        parser.add_argument("--json", action="store_true", help="print the result as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many there are; carry the order out, or only count."""
        selection = _selection(options)
        if options["dry_run"]:
            self._count(selection, as_json=options["json"])
            return
        replay = bulk_replay.order(
            selection, by=None, from_start=options["from_start"], rate_per_second=_rate(options["rate"])
        )
        if not Worker.objects.alive(timezone.now()).exists():
            self.stderr.write("no worker is alive: it begins when one is")
        if options["wait"]:
            self._wait(replay)
        self.stdout.write(json.dumps(_as_json(replay)) if options["json"] else _line(replay))
        if options["wait"] and replay.state == ReplayState.CANCELLED:
            raise CommandError("somebody has cancelled it")
        if options["wait"] and replay.failed:
            raise CommandError(f"{_deliveries(replay.failed)} failed again")

    def _count(self, selection: dict[str, Any], *, as_json: bool) -> None:
        found = bulk_replay.preview(selection)
        total = sum(row.count for row in found)
        if as_json:
            self.stdout.write(json.dumps({"total": total, "counts": [row.as_json() for row in found]}))
            return
        parts = "; ".join(f"{row.endpoint} → {row.route_name}: {row.count} {row.status}" for row in found)
        self.stdout.write(f"would replay {_deliveries(total)}{f' ({parts})' if parts else ''}")

    def _wait(self, replay: Replay) -> None:
        is_terminal = self.stderr.isatty()
        try:
            while replay.state not in ENDED:
                if is_terminal:
                    self.stderr.write(f"\r{_progress(replay)}\x1b[K", ending="")
                time.sleep(_POLL_SECONDS)
                _look_again(replay)
        except KeyboardInterrupt:
            raise CommandError(f"\nreplay {replay.pk} goes on without this command", returncode=130) from None
        finally:
            if is_terminal:
                self.stderr.write("\r\x1b[K", ending="")


def _selection(options: dict[str, Any]) -> dict[str, Any]:
    filters = {name: options[name] for name in _FILTERS if options[name] is not None}
    try:
        if options["delivery"] and (filters or options["all"]):
            raise CommandError("--delivery names them one by one; it goes with no filter")
        read = named(options["delivery"]) if options["delivery"] else selection_from(filters)
        return bulk_replay.complete(read, everything=options["all"])
    except Unreadable as exc:
        raise CommandError(str(exc)) from exc
    except bulk_replay.NothingSelected:
        raise CommandError("say which deliveries, or --all for every dead letter") from None
    except bulk_replay.NotReplayable as exc:
        raise CommandError(str(exc)) from exc


def _rate(rate: float | None) -> float | None:
    if rate is not None and not bulk_replay.LOWEST_RATE <= rate <= bulk_replay.HIGHEST_RATE:
        raise CommandError(f"--rate has to be from {bulk_replay.LOWEST_RATE:g} to {bulk_replay.HIGHEST_RATE:g}")
    return rate


def _look_again(replay: Replay) -> None:
    try:
        replay.refresh_from_db()
    except Replay.DoesNotExist:
        raise CommandError(f"replay {replay.pk} has been removed") from None
    except Error:  # the database is away: the order is not
        close_old_connections()


def _progress(replay: Replay) -> str:
    left = replay.time_left(timezone.now())
    rest = f", about {left.total_seconds():.0f} s left" if left is not None else ""
    return f"{replay.state}: {replay.done} of {replay.total}, {replay.failed} failed again{rest}"


def _line(replay: Replay) -> str:
    if replay.state not in ENDED:
        return f"replay {replay.pk} of {_deliveries(replay.total)} is ordered"
    outcome = "cancelled" if replay.state == ReplayState.CANCELLED else "finished"
    counts = f"{replay.succeeded} succeeded, {replay.failed} failed again, {replay.skipped} skipped"
    return f"replay {replay.pk} {outcome}: {counts} of {_deliveries(replay.total)}"


def _as_json(replay: Replay) -> dict[str, Any]:
    names = ("state", "total", "done", "succeeded", "failed", "skipped")
    return {"id": str(replay.pk), **{name: getattr(replay, name) for name in names}}


def _deliveries(count: int) -> str:
    return f"{count} deliver{'y' if count == 1 else 'ies'}"
