"""``manage.py listen``: the events of another hub, delivered on this machine as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries.listening import cursor as cursors
from deliveries.listening.errors import HubAway, HubRefuses, NothingListens
from deliveries.listening.keys import waiting
from deliveries.listening.listener import Listener, Row
from deliveries.listening.remote import RemoteHub, is_loopback
from deliveries.listening.targets import target
from deliveries.management.command import HubCommand
from deliveries.management.durations import parse_duration

_LONGEST = timedelta(days=365)
_LONGEST_PAUSE_SECONDS = 30.0


class Command(HubCommand):
    """Fetch events through the API from a cursor, deliver them here, show what they were answered. Until Ctrl-C."""

    help = (
        "Fetches the events of another hub's endpoint through its API and delivers them to a local address, body byte "
        "for byte, headers and signature included, or to an endpoint of the local hub. Goes on where it ended: what "
        "came while this machine slept is delivered when it wakes. The token is read from HUB_LISTEN_TOKEN or "
        "--token-file; it needs a user of that hub who may see events, and for signatures one who may change endpoints."
    )
    examples = (
        ("to a program on this machine", "listen --from https://hub.example.com --endpoint gh --to http://127.0.0.1:3000/"),
        ("to the hub on this machine, verified there", "listen --from ... --endpoint gh --to endpoint:gh"),
        ("also what came within the last two hours", "listen --from ... --endpoint gh --to ... --since 2h"),
        ("once more what was delivered last", "listen --from ... --endpoint gh --to ... --resend-last"),
    )  # fmt: skip
    requires_system_checks = []  # some ask the database, and none is needed

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where from, what, and where to."""
        parser.add_argument("--from", dest="hub", required=True, metavar="URL", help="the other hub's address")
        parser.add_argument("--endpoint", required=True, metavar="SLUG", help="the endpoint there")
        parser.add_argument("--to", required=True, metavar="URL", help="a local address, or endpoint:SLUG of this hub")
        parser.add_argument("--token-file", metavar="FILE", help="a file with the API token; else HUB_LISTEN_TOKEN")
        parser.add_argument(
            "--since",
            metavar="2h",
            help="begin so long ago; only the first time, afterwards the cursor says where to go on",
        )
        parser.add_argument("--cursor", metavar="FILE", help="where to remember how far it came; else in HUB_DATA_DIR")
        parser.add_argument("--once", action="store_true", help="deliver what there is, and end")
        parser.add_argument(
            "--resend-last", action="store_true", help="deliver once more what was delivered last, and end"
        )
        parser.add_argument("--interval", type=float, default=2.0, metavar="SECONDS", help="how often to look (2)")
        parser.add_argument(
            "--timeout", type=float, default=30.0, metavar="SECONDS", help="how long an answer may take (30)"
        )
        parser.add_argument("--json", action="store_true", help="print a line of JSON for each event")
        parser.add_argument(
            "--insecure-http", action="store_true", help="send the token over plain http to another machine"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen until Ctrl-C, which is no failure."""
        since_ms = _since_ms(options["since"])
        address = _checked_address(options)
        place = options["cursor"] or cursors.place(
            Path(settings.HUB_DATA_DIR) / "listen", address, options["endpoint"], options["to"]
        )
        self._is_json, self._has_head = options["json"], False
        try:
            with (
                closing(RemoteHub(address, endpoint=options["endpoint"], token=_token(options))) as hub,
                closing(target(options["to"], timeout_seconds=options["timeout"])) as destination,
                cursors.kept(Path(place)) as cursor,
            ):
                listener = Listener(hub, cursor, destination, self._show)
                if options["resend_last"]:
                    self._resend(listener)
                elif options["once"]:
                    self._once(hub, listener, since_ms)
                else:
                    self._listen(hub, listener, since_ms, options)
        except HubRefuses as exc:
            raise CommandError(str(exc)) from exc
        except (HubAway, NothingListens) as exc:  # where nothing waits for it to come back
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"{exc.filename or place} cannot be used: {exc.strerror}") from exc
        except KeyboardInterrupt:
            self.stderr.write("")  # the next prompt stands on a line of its own

    def _resend(self, listener: Listener) -> None:
        if not listener.resend_last():
            raise CommandError("nothing was delivered yet")

    def _once(self, hub: RemoteHub, listener: Listener, since_ms: int | None) -> None:
        hub.check()
        listener.begin(since_ms=since_ms)
        count = listener.deliver_new()
        if not self._is_json:
            self.stdout.write(f"delivered {count} event{'' if count == 1 else 's'}")

    def _listen(self, hub: RemoteHub, listener: Listener, since_ms: int | None, options: dict[str, Any]) -> None:
        with waiting() as wait:
            self._say(f"{options['endpoint']} at {hub.url} -> {options['to']}; r sends the last once more, q ends")
            pause, complaint = options["interval"], ""
            begun = False
            while True:
                try:
                    if not begun:
                        hub.check()
                        listener.begin(since_ms=since_ms)
                        begun = True
                    listener.deliver_new()
                    pause, complaint = options["interval"], ""
                except (HubAway, NothingListens) as exc:
                    if str(exc) != complaint:
                        self._say(f"{exc}; waiting for it, nothing is lost")
                    pause, complaint = min(pause * 1.5, _LONGEST_PAUSE_SECONDS), str(exc)
                if self._pressed(wait, listener, pause):
                    return

    def _pressed(self, wait: Callable[[float], str], listener: Listener, seconds: float) -> bool:
        """Wait for so long and do what is asked by a key meanwhile; return whether to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            key = wait(left)
            if key == "q":
                return True
            if key == "r":
                try:
                    if not listener.resend_last():
                        self._say("nothing was delivered yet")
                except (HubAway, NothingListens) as exc:
                    self._say(str(exc))
        return False

    def _show(self, row: Row) -> None:
        if self._is_json:
            self.write_json(row.as_json())
        else:
            if not self._has_head:
                self.stdout.write(_line("RECEIVED", "TYPE", "EVENT ID", "MS", "ANSWER"))
                self._has_head = True
            self.stdout.write(self._painted(row))
        self.stdout.flush()

    def _painted(self, row: Row) -> str:
        arrival, answer = row.arrival, row.answer
        received = f"{timezone.localtime(arrival.received_at):%Y-%m-%d %H:%M:%S}"
        notes = (" (again)" if row.is_resent else "") + ("" if row.is_complete else " (without credentials)")
        style = self.style.SUCCESS if answer.is_success else self.style.ERROR
        shown_id = arrival.event_id or str(arrival.id)
        text = style(answer.text) + notes
        return _line(received, arrival.event_type or "-", shown_id, f"{answer.duration_ms:.0f}", text)

    def _say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()


def _line(received: str, event_type: str, event_id: str, milliseconds: str, answer: str) -> str:
    cells = [f"{_plain(text):<{width}.{width}}" for text, width in ((received, 19), (event_type, 28), (event_id, 36))]
    return f"{'  '.join(cells)}  {milliseconds:>6}  {answer}"


def _plain(text: str) -> str:
    """Return what a sender wrote without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _since_ms(since: str | None) -> int | None:
    if since is None:
        return None
    begin = timezone.now() - parse_duration(since, option="--since", longest=_LONGEST)
    return int(begin.timestamp() * 1000)


def _checked_address(options: dict[str, Any]) -> str:
    address: str = options["hub"].rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError("--from has to be the address of a hub, such as https://hub.example.com")
    if parts.scheme == "http" and not is_loopback(address) and not options["insecure_http"]:
        raise CommandError("--from is plain http: the token could be read on the way. Use https (or --insecure-http)")
    return address


def _token(options: dict[str, Any]) -> str:
    token: str = settings.HUB_LISTEN_TOKEN
    if options["token_file"]:
        try:
            token = Path(options["token_file"]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise CommandError(f"--token-file cannot be read: {getattr(exc, 'strerror', 'it is not UTF-8')}") from exc
    if not token:
        raise CommandError("no token: set HUB_LISTEN_TOKEN, or give --token-file (create_token makes one on the hub)")
    return token
