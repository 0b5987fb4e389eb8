"""The table of docs/reference/failures.md, cell by cell."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from integrations.calling.opening import StoredConnections
from integrations.connectors.unnamed import Unnamed
from integrations.errors import GiveUp, NotCalled, RetryLater, StillRunning
from integrations.handlers import handlers
from integrations.models import Connection, ConnectionHealth, ConnectionState, UnnamedHealth
from tests.integrations.calling.systems import System
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.connectors.servers import talking
from tests.integrations.handlers.contexts import Kept, context_of, event_of
from tests.integrations.handlers.test_email_send import free_port
from tests.running_hub import ROOT

# What is shared by workers is the same on each database (test_sharing.py, test_unnamed.py).
pytestmark = pytest.mark.any_database

AWAY = "nobody answers at the address"
BROKEN = "it breaks off, and may have acted"
UNWELL = "it is unwell (5xx; SMTP 4xx; no memory)"
BUSY = "it has too much to do (429)"
ASKS = "it asks for a wait (`Retry-After`)"
OPEN = "its circuit is open"
PAUSED = "the connection is paused, or its rate used up"
REFUSES = "it refuses what it is sent (4xx; SMTP 5xx; a constraint)"
UNKNOWN = "it refuses the credentials"
PRIVATE = "the address is none that may be reached"
LACKING = "the event lacks what it needs"
MISSING = "the package is not installed"
FAILURES = (AWAY, BROKEN, UNWELL, BUSY, ASKS, OPEN, PAUSED, REFUSES, UNKNOWN, PRIVATE, LACKING, MISSING)

FULL = {"id": 7, "email": "ann@example.com", "text": "Hi"}
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "http.request": {"connection": "out", "path": "/orders/{id}"},
    "slack.message": {"connection": "out", "channel": "C1", "text": "{{ payload.text }}"},
    "crm.upsert_contact": {"connection": "out", "email": "{{ payload.email }}"},
    "airbyte.sync": {
        "connection": "out",
        "airbyte_connection": "18dccc91-0ab1-4f72-9ed7-0b8fc27c5826",
        "coalesce_seconds": 0,
    },
    "email.send": {
        "to": ["{{ payload.email }}"],
        "subject": "Hi",
        "text": "Hi",
        "from": "hub@example.org",
    },
    "table.append": {"database": "env:HUB_SECRET_WAREHOUSE", "table": "orders", "required": ["id"]},
    "object.append": {"connection": "out", "batch_seconds": 0},
    "queue.publish": {"connection": "out", "queue": "orders", "key": "id"},
    "hub.emit": {"event_type": "{{ payload.text }}"},
}
FORWARD = "http.forward` by `url"
#: Refusals of those that have words of their own for them.
SLACKS = {REFUSES: (200, b'{"ok": false, "error": "channel_not_found"}'), UNKNOWN: (200, b'{"error": "invalid_auth"}')}
#: What another test makes fail so: module and test.
ELSEWHERE = {
    ("email.send", UNWELL): ("handlers/test_email_send", "test_waits_when_refused_for_now_and_then_writes_only"),
    ("email.send", REFUSES): ("handlers/test_email_send", "test_gives_up_when_refused_for_good"),
    ("email.send", UNKNOWN): ("handlers/test_email_send", "test_tries_again_by_the_routes_policy_when_it_is_not"),
    ("table.append", UNWELL): ("handlers/test_table_append", "test_that_somebody_holds_is_waited_for_until"),
    ("table.append", REFUSES): ("handlers/test_table_append", "test_refuses_a_bad_row_without_quoting_it"),
    ("table.append", UNKNOWN): ("handlers/test_table_append", "test_that_lets_the_hub_not_in_is_tried_again"),
    ("object.append", BROKEN): ("calling/test_object_append", "test_keeps_no_half_of_an_object"),
    ("object.append", UNWELL): ("calling/test_object_append", "test_is_tried_again_at_once_after_a_failure"),
    ("object.append", REFUSES): ("calling/test_object_stores", "test_that_there_is_not_is_a_dead_letter"),
    ("object.append", UNKNOWN): ("calling/test_object_stores", "test_that_there_is_not_or_refuses_the_key_is_a_dead"),
    ("object.append", MISSING): ("calling/test_object_append", "test_is_a_dead_letter_in_one_line_where_the_package"),
    ("queue.publish", UNWELL): ("connectors/test_redis_stream", "test_that_is_full_is_tried_again"),
    ("queue.publish", BUSY): ("connectors/test_sqs", "test_is_not_for_good_where_it_was_too_much"),
    ("queue.publish", REFUSES): ("connectors/test_redis_stream", "test_refuses_for_good_what_is_no_stream"),
    ("queue.publish", UNKNOWN): ("connectors/test_redis_stream", "test_is_refused_for_good_with_a_wrong_password"),
    ("queue.publish", MISSING): ("connectors/test_redis_stream", "test_leads_nowhere_without_the_client"),
}


def told() -> dict[str, dict[str, str]]:
    """Return what the page says: by handler, then by failure."""
    text = (ROOT / "docs/reference/failures.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.count("|") == 12]
    (head, *cells) = [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]
    names = [name.strip("`") for name in head[1:]]
    return {name: {row[0]: row[number] for row in cells} for number, name in enumerate(names, start=1)}


class ThePage(SimpleTestCase):
    def test_names_each_failure_of_each_handler(self) -> None:
        page = told()

        self.assertEqual(set(page), {FORWARD, *CONFIGS})
        for cells in page.values():
            self.assertEqual(tuple(cells), FAILURES)

    def test_is_held_to_by_tests_that_are_there(self) -> None:
        for module, name in ELSEWHERE.values():
            text = (ROOT / f"tests/integrations/{module}.py").read_text()
            self.assertRegex(text, rf"def {re.escape(name)}", module)


def state_of(failure: str) -> ConnectionState:
    return ConnectionState.PAUSED if failure == PAUSED else ConnectionState.ACTIVE


@contextmanager
def broken() -> Iterator[int]:
    """Yield the port of a server that hangs up once it has been asked."""

    def hang_up(connection: socket.socket) -> None:
        connection.settimeout(0.2)
        connection.recv(1)

    with talking(hang_up) as url:
        yield int(url.rpartition(":")[2].strip("/"))


class EachHandler(CallingTestCase):
    page: Mapping[str, Mapping[str, str]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.page = told()

    def setUp(self) -> None:
        super().setUp()
        self.endpoint_id = uuid4()

    def outcome(self, key: str, config: Mapping[str, Any], payload: Any) -> str:
        """Run the handler for one attempt, and return what the page calls it."""
        journal = Kept()
        context = replace(
            context_of(config, journal),
            deadline=timezone.now() + timedelta(seconds=20),
            connections=StoredConnections(self.endpoint_id),
        )
        try:
            handlers[key].run(event_of(payload), context)
        except (NotCalled, StillRunning):
            return "waits"
        except GiveUp:
            return "dead"
        except RetryLater as exc:
            return "as asked" if exc.after == timedelta(seconds=900) else "retry"
        except Exception:
            return "tries" if len(journal.calls) > 1 or len(self.system.requests) > 1 else "retry"
        return "–"

    def holds(self, name: str, make: Callable[[str], Any]) -> None:
        """Have the handler fail in each way that the page names, each made by the context that ``make`` returns."""
        key, cells = name.partition("`")[0], self.page[name]
        for failure, cell in cells.items():
            if (key, failure) in ELSEWHERE or cell == "–":
                continue
            with self.subTest(handler=name, failure=failure):
                Connection.objects.all().delete()
                UnnamedHealth.objects.all().delete()
                self.system.requests.clear()
                self.system.answers(200)
                with make(failure) as changes:
                    config = {**self.config(name), **(changes or {})}
                    found = self.outcome(key, config, {} if failure == LACKING else FULL)
                self.assertEqual(found, cell)

    def config(self, name: str) -> Mapping[str, Any]:
        return {"url": f"{self.system.url}/catch"} if name == FORWARD else CONFIGS[name]

    def connection(self, **values: Any) -> Connection:
        retry = {"max_attempts": 2, "initial_seconds": 0.001, "max_seconds": 0.01}
        usual = {"auth": "bearer", "credentials": {"token": "swordfish-token"}, "base_url": self.system.url}
        return Connection.objects.create(**{"name": "out", "retry": retry, **usual, **values})

    @contextmanager
    def over_http(self, failure: str, words: Mapping[str, tuple[int, bytes]]) -> Iterator[None]:
        """Have a connection fail."""
        values: dict[str, Any] = {"base_url": f"http://127.0.0.1:{free_port()}"} if failure == AWAY else {}
        with broken() if failure == BROKEN else nullcontext() as port:
            if port:
                values = {"base_url": f"http://127.0.0.1:{port}"}
            row = self.connection(**values, state=state_of(failure))
            self.fails(failure, words)
            with self.without_a_way(failure, connection=row):
                yield

    def fails(self, failure: str, words: Mapping[str, tuple[int, bytes]]) -> None:
        usual = {UNWELL: 503, BUSY: 429, REFUSES: 400, UNKNOWN: 401}.get(failure, 200)
        self.system.answers(*words.get(failure, (usual, b"{}")))
        if failure == ASKS:
            self.system.answers(503, Retry_After="900")

    @contextmanager
    def without_a_way(
        self, failure: str, *, connection: Connection | None = None, unnamed: Unnamed | None = None
    ) -> Iterator[None]:
        until = timezone.now() + timedelta(minutes=5)
        if failure == OPEN and connection is not None:
            ConnectionHealth.objects.create(connection=connection, failures=5, open_until=until)
        if failure == OPEN and unnamed is not None:
            UnnamedHealth.objects.create(key=unnamed.pk, name=unnamed.name, failures=5, open_until=until)
        with override_settings(HUB_EGRESS_ALLOW=[] if failure == PRIVATE else System.NETWORKS):
            yield

    def test_that_calls_an_api_does_what_the_page_says(self) -> None:
        for name in ("http.request", "crm.upsert_contact", "airbyte.sync"):
            self.holds(name, lambda failure: self.over_http(failure, {}))
        self.holds("slack.message", lambda failure: self.over_http(failure, SLACKS))

    def test_that_forwards_by_an_address_does_what_the_page_says(self) -> None:
        @contextmanager
        def make(failure: str) -> Iterator[Mapping[str, Any]]:
            with broken() if failure == BROKEN else nullcontext() as port:
                port = free_port() if failure == AWAY else port
                url = f"http://127.0.0.1:{port}" if port else self.system.url
                self.fails(failure, {})
                unnamed = Unnamed("address", url, (str(self.endpoint_id), "r", url))
                with self.without_a_way(failure, unnamed=unnamed):
                    yield {"url": f"{url}/catch"}

        self.holds(FORWARD, make)

    def test_that_writes_a_mail_does_what_the_page_says(self) -> None:
        @contextmanager
        def make(failure: str) -> Iterator[None]:
            with broken() if failure == BROKEN else nullcontext(free_port()) as port:
                server = Unnamed("smtp", "127.0.0.1", ("127.0.0.1", str(port)))
                backend = "django.core.mail.backends.smtp.EmailBackend"
                with (
                    override_settings(EMAIL_BACKEND=backend, EMAIL_HOST="127.0.0.1", EMAIL_PORT=port),
                    self.without_a_way(failure, unnamed=server),
                ):
                    yield

        self.holds("email.send", make)

    def test_that_writes_a_row_does_what_the_page_says(self) -> None:
        reference = CONFIGS["table.append"]["database"]

        @contextmanager
        def make(failure: str) -> Iterator[None]:
            with broken() if failure == BROKEN else nullcontext(free_port()) as port:
                url = f"postgres://hub:s3cret@127.0.0.1:{port}/warehouse"
                unnamed = Unnamed("postgresql", "WAREHOUSE", (reference,))
                with (
                    mock.patch.dict("os.environ", {"HUB_SECRET_WAREHOUSE": url}),
                    self.without_a_way(failure, unnamed=unnamed),
                ):
                    yield

        self.holds("table.append", make)

    def test_that_writes_an_object_does_what_the_page_says(self) -> None:
        @contextmanager
        def make(failure: str) -> Iterator[None]:
            row = self.connection(
                kind="folder", base_url="folder:/events", auth="none", credentials={}, state=state_of(failure)
            )
            # A folder that is none is as a store that is away; none that is set is as one that may not be reached.
            folder = "" if failure == PRIVATE else str(ROOT / "not-there")
            with override_settings(HUB_OBJECTS_DIR=folder), self.without_a_way(failure, connection=row):
                yield

        self.holds("object.append", make)

    def test_that_publishes_a_message_does_what_the_page_says(self) -> None:
        @contextmanager
        def make(failure: str) -> Iterator[None]:
            with broken() if failure == BROKEN else nullcontext(free_port()) as port:
                url = f"redis://127.0.0.1:{port}/0"
                row = self.connection(kind="redis", base_url=url, auth="none", credentials={}, state=state_of(failure))
                with self.without_a_way(failure, connection=row):
                    yield

        self.holds("queue.publish", make)

    def test_that_emits_an_event_does_what_the_page_says(self) -> None:
        self.holds("hub.emit", lambda _failure: nullcontext())
