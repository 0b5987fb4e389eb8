"""Everything that is logged on the way of a webhook and at an operator's desk: the ids are on it, secrets are not."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import structlog
from django.contrib.auth.models import Group, User
from django.test import Client, SimpleTestCase, override_settings

from deliveries.log_context import lines_with
from deliveries.models import Delivery, Event
from hub.logging import logging_config
from integrations.models import Connection
from tests.automations import handlers as automations
from tests.deliveries.api.cases import client_of
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_route
from tests.integrations.connectors.servers import Server, serving

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "logs.md"
MARKER = "MARKER"
SECRET, PASSWORD, WRONG = "MARKER-secret-of-shop", "MARKER correct horse", "MARKER wrong horse"
LOOPBACK = [ip_network("127.0.0.0/8")]
#: What every line of a delivery has, from receipt to the last attempt.
OF_RECEIPT = {"request_id", "event_uuid", "endpoint"}
OF_ATTEMPT = OF_RECEIPT | {"delivery", "route", "handler", "attempt", "worker"}


@contextmanager
def everything_logged() -> Iterator[dict[str, io.StringIO]]:
    """Yield what is logged with ``LOG_LEVEL=DEBUG``, in both formats."""
    streams = {"json": io.StringIO(), "console": io.StringIO()}
    levels = {}
    handlers = []
    for log_format, stream in streams.items():
        config = logging_config(log_format, level="DEBUG", own=["tests.automations"])
        handler = logging.StreamHandler(stream)
        options = dict(config["formatters"]["hub"])
        handler.setFormatter(options.pop("()")(**options))
        handlers.append(handler)
    wanted = {"": config["root"], **config["loggers"]}
    for name, of in wanted.items():
        logger = logging.getLogger(name)
        levels[name] = logger.level
        logger.setLevel(of["level"])
        for handler in handlers if "handlers" in of else ():
            logger.addHandler(handler)
    try:
        yield streams
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
            for handler in handlers:
                logging.getLogger(name).removeHandler(handler)


def lines_of(streams: dict[str, io.StringIO]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in streams["json"].getvalue().splitlines()]


@override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
class EveryLineTests(Sender, DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop = self.enterContext(serving(Server(status=500, body=b"MARKER answer")))
        self.endpoint = signed_endpoint(slug="orders", secret=SECRET, sensitive=True)
        retry = {"max_attempts": 1, "initial_seconds": 0.01, "max_seconds": 0.01}
        Connection.objects.create(
            name="shop",
            base_url=f"{self.shop.url}/MARKER-path",
            auth="bearer",
            credentials={"token": "MARKER-token"},
            retry=retry,
        )

    def receive(self, body: Any = None, **how: Any) -> int:
        headers = {"X-Api-Key": "MARKER-header", "X-Request-ID": "r-1", **how.pop("headers", {})}
        whole = {"type": "paid", "card": "MARKER-card"} if body is None else body
        how = {"secret": SECRET, "query": "?token=MARKER-query", **how}
        return self.send(self.endpoint, whole, headers=headers, **how).status_code

    def route(self, handler: str, **config: Any) -> None:
        make_route(self.endpoint, handler=handler, config=config, retry=AT_ONCE)

    def work_to_the_end(self) -> None:
        for _ in range(3):
            self.work()
            time.sleep(0.005)

    def test_from_receipt_to_the_last_attempt_has_the_ids(self) -> None:
        self.route("test.call", connection="shop")
        self.route("test.acall", connection="shop")
        with everything_logged() as streams:
            self.receive()
            self.work_to_the_end()

        lines = lines_of(streams)
        of_receipt = [line for line in lines if line["event"] == "event.accepted"]
        of_attempts = [line for line in lines if line["event"].startswith("delivery.")]
        by_hand = [line for line in lines if line["event"] == "called by hand"]
        self.assertEqual((len(of_receipt), len(of_attempts), len(by_hand)), (1, 4, 4))
        for line in of_receipt:
            self.assertLessEqual(OF_RECEIPT, line.keys())
        for line in (*of_attempts, *by_hand):
            self.assertLessEqual(OF_ATTEMPT, line.keys())
        ids = {(line["request_id"], line["event_uuid"]) for line in (*of_receipt, *of_attempts, *by_hand)}
        self.assertEqual(ids, {("r-1", str(Event.objects.get().pk))})
        self.assertEqual(
            {line["delivery"] for line in by_hand}, {str(pk) for pk in Delivery.objects.values_list("pk", flat=True)}
        )
        self.assertEqual({line["attempt"] for line in by_hand}, {1, 2, 3})

    def test_of_a_large_event_has_them_too(self) -> None:
        self.route("test.nothing")
        with everything_logged() as streams:
            self.receive({"type": "paid", "a": "x" * 100_000})
            self.work()

        (line,) = [line for line in lines_of(streams) if line["event"] == "delivery.succeeded"]
        self.assertLessEqual(OF_ATTEMPT, line.keys())
        self.assertEqual(line["request_id"], "r-1")

    def test_holds_no_body_no_secret_and_no_credential(self) -> None:
        self.route("test.call", connection="shop")
        self.route("test.fail")
        self.route("http.forward", url="http://127.0.0.1:1/MARKER-path?key=MARKER-key")
        with everything_logged() as streams:
            self.assertEqual(self.receive(event_id="1"), 200)
            self.assertEqual(self.receive({"type": "paid", "other": "MARKER-other"}, event_id="1"), 200)
            self.assertEqual(self.receive(secret="MARKER-not-it"), 401)
            self.assertEqual(self.receive(b'{"MARKER": '), 400)
            self.assertEqual(self.receive(headers={"Content-Encoding": "MARKER"}), 415)
            for delivery in Delivery.objects.all():
                automations.texts[str(delivery.pk)] = "MARKER-text"
            self.addCleanup(automations.texts.clear)
            self.work_to_the_end()
            self.be_at_the_desk()

        told = {line["event"] for line in lines_of(streams)}
        wanted = {"event.accepted", "event.duplicate", "request.refused", "delivery.retried", "delivery.dead"}
        self.assertLessEqual(wanted | {"login.failed", "token.refused"}, told)
        for log_format, stream in streams.items():
            with self.subTest(log_format):
                self.assertEqual([line for line in stream.getvalue().splitlines() if MARKER in line], [])

    def be_at_the_desk(self) -> None:
        person = User.objects.create_user("ada", password=PASSWORD, is_staff=True, is_superuser=True)
        person.groups.set(Group.objects.all())
        browser = Client()
        login = "/admin/login/?next=/admin/"
        self.assertEqual(browser.post(login, {"username": "ada", "password": WRONG}).status_code, 200)
        self.assertEqual(browser.post(login, {"username": "ada", "password": PASSWORD}).status_code, 302)
        page = f"/admin/deliveries/event/{Event.objects.first().pk}"
        self.assertEqual(browser.get(f"{page}/change/").status_code, 200)
        self.assertContains(browser.post(f"{page}/reveal/", {"reason": "MARKER-reason"}), "MARKER-card")
        self.assertEqual(
            browser.get(f"/admin/deliveries/delivery/{Delivery.objects.first().pk}/change/").status_code, 200
        )
        api = client_of(person)
        new = {"label": "next", "value": "MARKER-new-secret-of-shop"}
        self.assertEqual(api.post("/api/v1/endpoints/orders/secrets/", new, format="json").status_code, 201)
        api.credentials(HTTP_AUTHORIZATION="Token MARKER-token-of-nobody")
        self.assertEqual(api.get("/api/v1/events/").status_code, 401)


class WhatIsBoundTests(SimpleTestCase):
    def test_is_on_the_lines_of_the_block_and_gone_afterwards(self) -> None:
        with lines_with(request_id="r-1"):
            with lines_with(delivery="d-1"):
                structlog.contextvars.bind_contextvars(left_behind=1, request_id="r-2")
            self.assertEqual(structlog.contextvars.get_contextvars(), {"request_id": "r-1"})
        self.assertEqual(structlog.contextvars.get_contextvars(), {})

    def test_is_gone_after_an_error_too(self) -> None:
        with self.assertRaises(ValueError), lines_with(delivery="d-1"):
            raise ValueError
        self.assertEqual(structlog.contextvars.get_contextvars(), {})

    def test_is_there_in_coroutines_and_their_threads(self) -> None:
        async def handler() -> list[dict[str, Any]]:
            return [
                structlog.contextvars.get_contextvars(),
                await asyncio.to_thread(structlog.contextvars.get_contextvars),
            ]

        with lines_with(delivery="d-1"):
            self.assertEqual(asyncio.run(handler()), [{"delivery": "d-1"}] * 2)


class TheReferenceTests(SimpleTestCase):
    def test_names_every_line_of_the_hub_and_no_other(self) -> None:
        self.assertEqual(documented().keys() ^ logged().keys(), set())

    def test_names_the_fields_and_the_level_of_each(self) -> None:
        found = logged()
        for name, (level, fields) in documented().items():
            with self.subTest(name):
                self.assertEqual((level, fields), found[name])


def documented() -> dict[str, tuple[str, set[str]]]:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\w+) \| (.*?) \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: (level, set(re.findall(r"`(\w+)`", fields))) for name, level, fields in rows}


def logged() -> dict[str, tuple[str, set[str]]]:
    """Return level and own fields of every line that the code logs, by its event name."""
    found: dict[str, tuple[str, set[str]]] = {}
    for package in ("hub", "integrations", "deliveries"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for name, level, fields in _line(node):
                    known = found.get(name, (level, set()))
                    found[name] = (known[0], known[1] | fields)
    return found


def _line(node: ast.AST) -> Iterator[tuple[str, str, set[str]]]:
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    logs = re.fullmatch(r"(?:log|logger)\.(debug|info|warning|error|exception)", called)
    if not node.args or (logs is None and called != "_warn_once"):
        return
    level = {"exception": "error"}.get(logs[1], logs[1]) if logs else "warning"
    fields = {item.arg for item in node.keywords if item.arg} - {"key", "exc_info"}
    first = node.args[0]
    names = (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,)
    for name in names:
        if isinstance(name, ast.Constant):
            yield str(name.value), level, fields
