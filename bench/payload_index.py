"""What an index on payloads costs: ``python -m tests.with_postgres python -m bench.payload_index``.

Inserts the same rows, one statement for each, into a table with the raw body alone, with a jsonb column beside it, and
with a GIN index (jsonb_path_ops) on that: all in one transaction, so that the disk's commits are not what is measured.
Then looks for one value in the bytes of the newest 20,000 bodies, and by the index. Then stores as many events, lets
the hub's own index be written, and looks for a value by it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import time
from datetime import timedelta
from typing import Any

import django
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

_VARIANTS = {
    "raw body": ("raw bytea", ""),
    "and jsonb": ("raw bytea, payload jsonb", ""),
    "and jsonb with GIN": ("raw bytea, payload jsonb", "CREATE INDEX ON {} USING gin (payload jsonb_path_ops)"),
}


def payload(number: int, rng: random.Random) -> bytes:
    """Return a body like a shop's order: about 2 kB, forty values, most of them different in each."""
    lines = [
        {
            "id": rng.getrandbits(48),
            "sku": f"sku-{rng.randrange(5000)}",
            "price": f"{rng.random() * 100:.2f}",
            "n": line,
        }
        for line in range(8)
    ]
    order = {"id": f"evt_{number}", "customer": {"id": f"cus_{number}", "name": f"Name {rng.random()}"}, "lines": lines}
    return json.dumps({**order, "note": "x" * 800, "token": f"{rng.getrandbits(256):x}"}).encode()


def insert(cursor: Any, name: str, variant: str, bodies: list[bytes]) -> float:
    """Make the table ``name``, insert ``bodies``, and return rows a second."""
    columns, index = _VARIANTS[variant]
    cursor.execute(f"CREATE TABLE {name} (id serial PRIMARY KEY, {columns})")
    if index:
        cursor.execute(index.format(name))
    has_payload = "payload" in columns
    names, values = ("raw, payload", "%s, %s") if has_payload else ("raw", "%s")
    statement = f"INSERT INTO {name} ({names}) VALUES ({values})"  # noqa: S608 - ours
    begun = time.perf_counter()
    with transaction.atomic():
        for body in bodies:
            cursor.execute(statement, (body, body.decode()) if has_payload else (body,))
    return len(bodies) / (time.perf_counter() - begun)


def timed(cursor: Any, statement: str, parameters: tuple[Any, ...]) -> float:
    """Return the milliseconds of a statement, the best of three."""
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        cursor.execute(statement, parameters)
        cursor.fetchall()
        best = min(best, (time.perf_counter() - begun) * 1000)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    django.setup()
    from django.db import connection

    bodies = [payload(number, random.Random(number)) for number in range(rows)]  # noqa: S311 - not for secrets
    with connection.cursor() as cursor:
        for number, variant in enumerate(_VARIANTS):
            name = f"payloads_{number}"
            rate = insert(cursor, name, variant, bodies)
            cursor.execute("SELECT pg_total_relation_size(%s)", (name,))
            print(f"{variant:20} {rate:8.0f} rows/s {cursor.fetchone()[0] / rows:8.0f} bytes/row", flush=True)
        newest = (
            "SELECT id FROM (SELECT * FROM payloads_0 ORDER BY id DESC LIMIT 20000) n WHERE position(%s in raw) > 0"
        )
        print(f"the newest 20,000 bodies: {timed(cursor, newest, (b'cus_none',)):.0f} ms")
        by_index = "SELECT id FROM payloads_2 WHERE payload @> %s::jsonb"
        print(f"by the index: {timed(cursor, by_index, (json.dumps({'customer': {'id': 'cus_77'}}),)):.1f} ms")
        own_index(cursor, bodies)


def own_index(cursor: Any, bodies: list[bytes]) -> None:
    """Store ``bodies`` as events, have them indexed, and print what that took: of this process, and of the disk."""
    from deliveries.models import Event, IndexSegment, Postings
    from deliveries.payload_index import coverage, look
    from deliveries.payload_index.rounds import Indexer
    from deliveries.payload_search import Wanted
    from integrations.models import Endpoint

    call_command("migrate", verbosity=0)
    now = timezone.now()
    endpoint = Endpoint.objects.create(slug="bench", name="bench", provider="github")
    Event.objects.bulk_create(
        (
            Event(
                endpoint=endpoint,
                provider="github",
                verdict="unverified",
                dedupe_key=f"id:{number}",
                body_sha256=hashlib.sha256(body).digest(),
                received_at=now - timedelta(hours=1, microseconds=number),
                raw_body=body,
                body_bytes=len(body),
                content_type="application/json",
            )
            for number, body in enumerate(bodies)
        ),
        batch_size=1000,
    )
    begun, used = time.perf_counter(), time.process_time()
    Indexer().work_off(now)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    tables = [Postings._meta.db_table, IndexSegment._meta.db_table]
    cursor.execute("SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name", (tables,))
    size = cursor.fetchone()[0] / len(bodies)
    print(f"the hub's own: {used / len(bodies) * 1e6:.0f} us of processor an event, {size:.0f} bytes, {seconds:.1f} s")
    covered = coverage()
    if covered is None:
        raise SystemExit("nothing was indexed")
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        found = look(Wanted.read("customer.id = cus_77"), covered, start=None)
        best = min(best, (time.perf_counter() - begun) * 1000)
    print(f"by the hub's own: {best:.1f} ms, {len(found.events)} found in {IndexSegment.objects.count()} segments")


if __name__ == "__main__":
    main()
