"""What an index on payloads costs: ``python -m tests.with_postgres python -m bench.payload_index``.

Inserts the same rows, one statement for each, into a table with the raw body alone, with a jsonb column beside it, and
with a GIN index (jsonb_path_ops) on that: all in one transaction, so that the disk's commits are not what is measured.
Then looks for one value in the bytes of the newest 20,000 bodies, and by the index.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from typing import Any

import django
from django.db import transaction

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


if __name__ == "__main__":
    main()
