"""`table.append`: rows made of events, in a PostgreSQL of its own behind a TCP port."""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from integrations.connectors.egress import EgressRefused
from integrations.connectors.postgres import DatabaseFailed, DatabaseRefused, database
from integrations.errors import GiveUp
from integrations.handlers import handlers
from integrations.validation import validate_handler_config
from tests.integrations.handlers.contexts import Kept, context_of, event_of

LOOPBACK = [ip_network("127.0.0.0/8")]
PASSWORD = "s3cret-Of-The-Warehouse"
REFERENCE = "env:HUB_SECRET_WAREHOUSE"
ORDER = {"id": "o-1", "total": 12, "at": "2026-05-01T10:00:00Z", "lines": [{"sku": "a"}]}


def written(payload: Any, number: int = 1, **config: Any) -> str:
    """Run the handler on event ``number`` and return what it logged."""
    config = {"database": REFERENCE, "table": "orders", **config}
    validate_handler_config("table.append", config)
    journal = Kept()
    context = replace(context_of(config, journal), deadline=timezone.now() + timedelta(seconds=20))
    handlers["table.append"].run(event_of(payload, id=f"0196f0a0-{number:012d}"), context)
    return journal.lines[-1][0]


def previewed(payload: Any, **config: Any) -> Any:
    preview = handlers["table.append"].preview
    assert preview is not None
    return preview(event_of(payload), {"database": REFERENCE, "table": "orders", **config})


class ARowOfATable(SimpleTestCase):
    def test_is_shown_before_anything_is_written(self) -> None:
        shown = previewed(ORDER, columns={"order": "id", "at": "at"}, types={"at": "timestamptz"}, key="id", time="at")

        self.assertEqual(shown["row"]["at"], "2026-05-01T10:00:00+00:00")
        self.assertEqual(list(shown["row"]), ["event_key", "event_id", "event_time", "order", "at"])

    def test_names_all_that_is_missing_and_no_value(self) -> None:
        with self.assertRaises(GiveUp) as caught:
            previewed({"id": "", "secret": "hidden"}, required=["id", "customer.email", "secret"])

        self.assertEqual(str(caught.exception), "required: id, customer.email missing from the payload")

    def test_names_the_column_whose_value_is_of_another_type(self) -> None:
        for kind, value in (
            ("bigint", "12"),
            ("bigint", True),
            ("boolean", 1),
            ("double precision", 2**53 + 1),
            ("timestamptz", "2026-05-01T10:00:00"),
            ("timestamptz", 1e300),
        ):
            with self.subTest(kind, value=value), self.assertRaises(GiveUp) as caught:
                previewed({"v": value}, columns={"c": "v"}, types={"c": kind})
            self.assertEqual(str(caught.exception), f"columns/c: the value is no {kind}")

    def test_needs_a_key_and_a_time_that_are_some(self) -> None:
        for payload, said in (
            ({"at": ORDER["at"]}, "key: "),
            ({"id": {}}, "key: "),
            ({"id": 1, "at": "soon"}, "time: "),
        ):
            with self.subTest(payload), self.assertRaisesMessage(GiveUp, said):
                previewed(payload, key="id", time="at")

    def test_leaves_the_hubs_columns_alone_and_names_whole(self) -> None:
        for name in ("event_id", "\u00e9" * 32):
            with self.subTest(name), self.assertRaisesMessage(GiveUp, f"columns/{name}"):
                previewed(ORDER, columns={name: "id"})

    def test_has_an_address_by_reference_only(self) -> None:
        for config, said in (
            ({"database": f"postgres://u:{PASSWORD}@h/d", "table": "t"}, "database: has to be a reference"),
            ({"database": "env:DATABASE_URL", "table": "t"}, "database: has to be a reference"),
            ({"database": REFERENCE, "table": "a.b.c"}, "table: has to be"),
            ({"database": REFERENCE, "table": "t", "types": {"a": "text); DROP"}}, "types/a: has to be one of"),
            ({"database": REFERENCE, "table": "t", "time": "at"}, "has to be"),
        ):
            with self.subTest(config), self.assertRaisesMessage(ValidationError, said) as caught:
                validate_handler_config("table.append", config)
            self.assertNotIn(PASSWORD, str(caught.exception))


class AnAddress(SimpleTestCase):
    def refused(self, url: str, **options: Any) -> BaseException:
        refusals = (DatabaseRefused, EgressRefused, DatabaseFailed)
        with self.assertRaises(refusals) as caught, database(url, seconds=2, **options):
            pass
        self.assertNotIn(PASSWORD, "".join(traceback.format_exception(caught.exception)))
        return caught.exception

    def test_is_whole_and_asks_for_nothing_else(self) -> None:
        for url in (
            f"mysql://u:{PASSWORD}@h/d",
            f"postgres://u:{PASSWORD}@/d",
            f"postgres://u:{PASSWORD}@h,i/d",
            f"postgres://u:{PASSWORD}@%2Ftmp/d",
            f"postgres://u:{PASSWORD}@h/d?service=x",
            f"postgres://u:{PASSWORD}@h/d?hostaddr=10.0.0.1",
            f"postgres://u:{PASSWORD}@h/d?{PASSWORD}=1",
            f"postgres://:{PASSWORD}@h/d",
        ):
            with self.subTest(url):
                self.assertIsInstance(self.refused(url), DatabaseRefused)

    def test_is_public_unless_the_environment_names_it(self) -> None:
        url = f"postgres://u:{PASSWORD}@warehouse.example/d"

        failure = self.refused(url, allow=[], resolve=lambda *_: [ip_address("169.254.169.254")])

        self.assertIsInstance(failure, EgressRefused)

    def test_is_not_the_hubs_own_by_whatever_name(self) -> None:
        own = {"ENGINE": "django.db.backends.postgresql", "NAME": "hub", "HOST": "db.internal", "PORT": ""}
        url = f"postgres://u:{PASSWORD}@alias.example/hub"

        with mock.patch.dict(settings.DATABASES, {"own": own}):
            failure = self.refused(url, allow=LOOPBACK, resolve=lambda *_: [ip_address("127.0.0.9")])

        self.assertEqual(str(failure), "database: this is the hub's own database")

    def test_that_is_connected_to_is_the_one_that_was_checked(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            url = f"postgres://u:{PASSWORD}@does-not-resolve.invalid:{server.getsockname()[1]}/d"
            with ThreadPoolExecutor(1) as pool:
                accepted = pool.submit(lambda: server.accept()[0].close())
                failure = self.refused(url, allow=LOOPBACK, resolve=lambda *_: [ip_address("127.0.0.1")])
                accepted.result()

        self.assertIsInstance(failure, DatabaseFailed)


@contextmanager
def listening(parameters: Mapping[str, Any]) -> Iterator[int]:
    """Yield a TCP port of 127.0.0.1 that leads to the test's PostgreSQL, which may listen on a Unix socket only."""
    host, port = str(parameters.get("host") or "/tmp"), int(parameters.get("port") or 5432)

    def opened() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        end = socket.socket(socket.AF_UNIX)
        end.connect(str(Path(host) / f".s.PGSQL.{port}"))
        return end

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                here, there = server.accept()[0], opened()
                ends = [here, there]
                both.extend(ends)
                for pair in (ends, ends[::-1]):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    both: list[socket.socket] = []
    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for end in both:
            end.close()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL")
class ATable(TestCase):
    """Of a second database on the server of the tests."""

    DATABASE = "hub_test_warehouse"
    known: dict[str, Any]
    own: str
    port: int

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        known = connection.get_connection_params()
        cls.known = {name: known[name] for name in ("user", "password", "host", "port") if known.get(name)}
        cls.own = known["dbname"]
        with psycopg.connect(**cls.known, dbname="postgres", autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {cls.DATABASE} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {cls.DATABASE}")
        cls.addClassCleanup(cls.drop)
        cls.port = cls.enterClassContext(listening(cls.known))
        cls.enterClassContext(override_settings(HUB_EGRESS_ALLOW=LOOPBACK))
        cls.enterClassContext(mock.patch.dict(os.environ, {"HUB_SECRET_WAREHOUSE": cls.url(cls.DATABASE)}))

    @classmethod
    def drop(cls) -> None:
        with psycopg.connect(**cls.known, dbname="postgres", autocommit=True) as server:
            server.execute(f"DROP DATABASE {cls.DATABASE} WITH (FORCE)")

    @classmethod
    def url(cls, name: str) -> str:
        password = quote(str(cls.known.get("password") or PASSWORD), safe="")
        return f"postgres://{cls.known['user']}:{password}@127.0.0.1:{cls.port}/{name}?sslmode=prefer"

    def setUp(self) -> None:
        self.asked("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def asked(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(**self.known, dbname=self.DATABASE, autocommit=True) as there:
            cursor = there.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def test_is_made_on_demand_and_has_each_event_once(self) -> None:
        said = [written(ORDER), written(ORDER), written(None, 2)]

        self.assertEqual(said, ["written", "it is there already, or a later one is", "written"])
        self.assertEqual(
            self.asked("SELECT endpoint, event_type, payload FROM orders ORDER BY event_id"),
            [("github", "release.published", ORDER), ("github", "release.published", None)],
        )

    def test_is_made_by_several_workers_at_once(self) -> None:
        start = threading.Barrier(6)

        def one(number: int) -> str:
            start.wait(10)
            return written({"id": number}, number % 3, columns={"id": "id", f"c{number}": "id"})

        with ThreadPoolExecutor(6) as pool:
            said = list(pool.map(one, range(6)))

        self.assertEqual(said.count("written"), 3)
        self.assertEqual(self.asked("SELECT count(*) FROM orders"), [(3,)])
        (columns,) = self.asked("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0")
        self.assertEqual(columns, (8,))

    def test_keeps_the_latest_event_of_a_key_in_whatever_order_they_come(self) -> None:
        kept = {"key": "id", "time": "at", "columns": {"total": "total"}}
        times = [(2, "2026-05-01T12:00:00+02:00"), (3, "2026-05-01T11:00:00Z"), (1, "2026-05-01T09:00:00Z")]
        said = [written({**ORDER, "total": n, "at": at}, n, **kept) for n, at in times]
        same_moment = [written({**ORDER, "total": n, "at": "2026-05-01T11:00:00Z"}, n, **kept) for n in (5, 4)]

        self.assertEqual([line == "written" for line in said + same_moment], [True, True, False, True, False])
        self.assertEqual(self.asked("SELECT event_key, total FROM orders"), [("o-1", 5)])

    def test_gets_new_columns_and_never_another_type(self) -> None:
        written({"v": 1}, 1, columns={"v": "v"})
        written({"v": 2, "w": [1], "x": None}, 2, columns={"v": "v", "w": "w", "x": "x"})
        with self.assertRaisesMessage(GiveUp, "columns/v: the column is bigint, the value would be text"):
            written({"v": "hidden", "y": 1}, 3, columns={"y": "y", "v": "v"})

        self.assertEqual(self.asked("SELECT v, w FROM orders ORDER BY event_id"), [(1, None), (2, [1])])
        names = self.asked("SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0")
        self.assertEqual([name for (name,) in names], ["event_id", "v", "w"])

    def test_takes_types_that_the_config_says(self) -> None:
        columns = {name: name for name in ("n", "at", "s", "t")}
        types = {"n": "double precision", "at": "timestamptz", "s": "text", "t": "jsonb"}
        written({"n": 1, "at": 1777629600, "s": 7, "t": "x"}, columns=columns, types=types)

        (row,) = self.asked("SELECT n, extract(epoch FROM at)::bigint, s, t FROM orders")
        self.assertEqual(row, (1.0, 1777629600, "7", "x"))

    def test_has_whatever_name_it_is_given(self) -> None:
        evil = 'a"; DROP TABLE x; --%s %(b)s {}'
        self.asked('CREATE SCHEMA "e%s"')
        keys: list[dict[str, Any]] = [{}, {"key": "id", "time": "at"}]
        for key in keys:
            with self.subTest(key):
                table = f"e%s.{evil}{len(key)}"
                written(ORDER, table=table, columns={evil: "id", "%": "total"}, **key)
                quoted = table.partition(".")[2].replace('"', '""')
                self.assertEqual(self.asked(f'SELECT "%" FROM "e%s"."{quoted}"'), [(12,)])

    def test_refuses_a_bad_row_without_quoting_it(self) -> None:
        self.asked("CREATE TABLE orders (event_id text PRIMARY KEY, n smallint, must text NOT NULL)")
        for payload, said in (
            ({"n": 987654, "m": "x"}, "SQLSTATE 22003"),
            ({"n": 1, "m": None}, "NotNullViolation (SQLSTATE 23502, column must)"),
            ({"n": 1, "m": "hid\x00den"}, "the database's client cannot send"),
            ({"n": 1, "m": "hidden\ud800"}, "not Unicode"),
        ):
            with self.subTest(said), self.assertRaisesMessage(GiveUp, said) as caught:
                written(payload, columns={"n": "n", "must": "m"}, types={"must": "text"})
            text = "".join(traceback.format_exception(caught.exception))
            self.assertNotIn("987654", text)
            self.assertNotIn("hid", text)
        self.assertEqual(self.asked("SELECT count(*) FROM orders"), [(0,)])

    def test_that_is_there_without_what_the_route_needs_is_left_as_it_is(self) -> None:
        written(ORDER)

        with self.assertRaisesMessage(GiveUp, "without the column event_key"):
            written(ORDER, 2, key="id", time="at")

    def test_in_a_schema_that_is_not_there_is_refused(self) -> None:
        with self.assertRaisesMessage(GiveUp, "SQLSTATE 3F000"):
            written(ORDER, table="nowhere.orders")

    def test_is_never_among_the_hubs_own(self) -> None:
        to_own = mock.patch.dict(os.environ, {"HUB_SECRET_WAREHOUSE": self.url(self.own)})
        with to_own, self.assertRaisesMessage(GiveUp, "(django_migrations) stand in this schema"):
            written(ORDER, table="public.orders")

    def test_that_lets_the_hub_not_in_is_tried_again(self) -> None:
        url = self.url(self.DATABASE).replace(f"//{self.known['user']}:", "//nobody_here:")
        to_it = mock.patch.dict(os.environ, {"HUB_SECRET_WAREHOUSE": url})
        with to_it, self.assertRaisesMessage(DatabaseFailed, "refuses the login"):
            written(ORDER)

    def test_that_somebody_holds_is_waited_for_until_the_time_is_up(self) -> None:
        written(ORDER)
        with psycopg.connect(**self.known, dbname=self.DATABASE) as other:
            other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            opened = database(self.url(self.DATABASE), seconds=0.5)
            with self.assertRaises(DatabaseFailed), opened as there:
                there.run(psycopg.sql.SQL("SELECT 1 FROM orders"))

    def test_behind_a_server_that_falls_silent_costs_no_more_than_the_time(self) -> None:
        opened = database(self.url(self.DATABASE), seconds=0.5)
        with self.assertRaisesMessage(DatabaseFailed, "broke off"), opened as there:
            there._ends_at += 60  # as if the server did not keep to its own limit
            there.run(psycopg.sql.SQL("SELECT pg_sleep(20)"))
