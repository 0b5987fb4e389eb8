"""How long the admin's pages take at a million events: ``python -m tests.with_postgres python -m bench.desk``.

Fills the database that ``TEST_DATABASE_URL`` names with SQL alone, opens each list three times as an administrator, and
prints the middle one of the three: the time in the server. ``--save NAME`` keeps it in bench/results.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import django
from django.utils import timezone

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

AIM_MS = 300
_RESULTS = Path(__file__).parent / "results"

#: After ten minutes at full load the machine comes to rest, and PostgreSQL has written what it had to.
_REST_SECONDS = 60
#: Endpoints with two routes each; every event has a delivery for both.
_SET_UP_ROWS = 200
_EVENTS = """
    INSERT INTO deliveries_event (id, endpoint_id, provider, verdict, flags, event_id, event_type, dedupe_key,
        body_sha256, received_at, request_id, source, duplicates, hops, headers, query_string, sealed, raw_body,
        body_is_encrypted, body_bytes, content_type)
    SELECT lpad(to_hex(n), 32, '0')::uuid, e.id, e.provider, 'verified', '[]',
        'evt_' || n, CASE WHEN n %% 1000 = 0 THEN 'order.rare' ELSE 'order.' || (n %% 7) END, 'id:evt_' || n,
        sha256(n::text::bytea), now() - ((%(events)s - n) * interval '0.6 s'), md5(n::text), '192.0.2.1', 0, 0, '{}',
        '', '', convert_to('{"customer": {"id": "cus_' || n || '"}, "pad": "' || repeat('x', 300) || '"}', 'UTF8'),
        false, 340, 'application/json'
    FROM generate_series(1, %(events)s) n
    JOIN (SELECT *, row_number() OVER (ORDER BY slug) - 1 AS place FROM integrations_endpoint) e
        ON e.place = n %% %(endpoints)s
"""
_DELIVERIES = """
    INSERT INTO deliveries_delivery (id, event_id, endpoint_id, route_id, status, due_at, attempt_count, budget_start,
        next_trigger, requested_by, worker, last_error, fingerprint, created_at, finished_at)
    SELECT gen_random_uuid(), e.id, e.endpoint_id, r.id, s.status, e.received_at, 1, 0, 'retry', '', '',
        CASE WHEN s.status = 'dead' THEN 'HttpError: 500 for ' || e.event_id ELSE '' END,
        CASE WHEN s.status = 'dead' THEN substr(md5((s.n %% 9)::text), 1, 16) ELSE '' END,
        e.received_at, e.received_at + interval '1 s'
    FROM deliveries_event e
    JOIN integrations_route r ON r.endpoint_id = e.endpoint_id,
    LATERAL (SELECT substr(e.event_id, 5)::int AS n, CASE WHEN substr(e.event_id, 5)::int %% 50 = 0
        THEN 'dead' ELSE 'succeeded' END AS status) s
"""
#: Rows of a hub in which everything is counted at every endpoint in every span; durations in four buckets each.
_STATISTICS = """
    INSERT INTO deliveries_rollup (grain_minutes, measure, starts_at, endpoint_id, route, bucket, count)
    SELECT %(grain)s, m.measure, date_trunc(%(unit)s, now()) - n * ('1 ' || %(unit)s)::interval, e.id,
        coalesce(r.id, '00000000-0000-0000-0000-000000000000'), bucket, 1 + (n * 7 + bucket) %% 50
    FROM generate_series(0, %(spans)s) n
    CROSS JOIN integrations_endpoint e
    CROSS JOIN (VALUES ('accepted', false, 1), ('duplicate', false, 1), ('refused', false, 1), ('succeeded', true, 1),
        ('dead', true, 1), ('failed', true, 1), ('ack', false, 4), ('done', true, 4), ('handler', true, 4)
    ) m (measure, of_route, buckets)
    CROSS JOIN LATERAL generate_series(CASE buckets WHEN 1 THEN 0 ELSE 30 END,
        CASE buckets WHEN 1 THEN 0 ELSE 29 + buckets END) bucket
    LEFT JOIN integrations_route r ON m.of_route AND r.endpoint_id = e.id
"""
_TOTALS = """
    INSERT INTO deliveries_rolluptotal (grain_minutes, measure, starts_at, bucket, count)
    SELECT grain_minutes, measure, starts_at, bucket, SUM(count) FROM deliveries_rollup
    GROUP BY grain_minutes, measure, starts_at, bucket
"""
#: As many as are kept of hours; of minutes, more than the page looks at.
_SPANS = ((1440, "day", 90), (60, "hour", 24 * 35), (1, "minute", 180))


def fill(events: int) -> None:
    """Make ``events`` events with two deliveries each, one in fifty of them dead, and the statistics of a busy hub."""
    from django.db import connection

    from integrations.models import Endpoint, Route

    for number in range(_SET_UP_ROWS):
        endpoint = Endpoint.objects.create(slug=f"endpoint-{number:02}", provider="generic_none")
        for name in ("one", "two"):
            Route.objects.create(endpoint=endpoint, name=name, handler="log")
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"events": events, "endpoints": _SET_UP_ROWS})
        cursor.execute(_DELIVERIES, {})
        for grain, unit, spans in _SPANS:
            cursor.execute(_STATISTICS, {"grain": grain, "unit": unit, "spans": spans})
        cursor.execute(_TOTALS)
        cursor.execute("VACUUM (ANALYZE)")  # what the database would do by itself, and be busy with meanwhile
        cursor.execute("CHECKPOINT")


def pages() -> dict[str, str]:
    """Return the pages to measure by what they are."""
    from deliveries.models import Delivery, Event
    from integrations.models import Endpoint, Route

    event, dead = Event.objects.latest("received_at"), Delivery.objects.filter(status="dead").latest("created_at")
    endpoint, route = Endpoint.objects.get(slug="endpoint-07"), Route.objects.filter(endpoint__slug="endpoint-10")[0]
    customer = f"cus_{event.event_id.removeprefix('evt_')}"
    events, deliveries = "/admin/deliveries/event/", "/admin/deliveries/delivery/"
    one_error = f"route={dead.route_id}&fingerprint={dead.fingerprint}"
    return {
        "overview": "/admin/",
        "overview of an hour": "/admin/?window=1h",
        "overview of a week": "/admin/?window=7d",
        "events": events,
        "events of an endpoint": f"{events}?endpoint={endpoint.pk}",
        "events of a rare type": f"{events}?event_type=order.rare",
        "events of a type that there is not": f"{events}?event_type=nothing",
        "events last night": f"{events}?when=last_night",
        "event by the provider's id": f"{events}?q={event.event_id}",
        "event by its request": f"{events}?q={event.request_id}",
        "event by an id that there is not": f"{events}?q=nothing",
        "event by a value in its payload": f"{events}?value=customer.id+%3D+{customer}",
        "event by a value that there is not": f"{events}?value=customer.id+%3D+nothing",
        "an event": f"{events}{event.pk}/change/",
        "two events side by side": f"{events}{event.pk}/difference/?with=evt_7",
        "live tail": "/admin/tail/",
        "deliveries": deliveries,
        "dead letters": f"{deliveries}?status=dead",
        "dead letters of a route": f"{deliveries}?status=dead&route={route.pk}",
        "deliveries that are running": f"{deliveries}?status=running",
        "deliveries that are pending": f"{deliveries}?status=pending",
        "deliveries that are held": f"{deliveries}?status=held",
        "deliveries that were discarded": f"{deliveries}?status=discarded",
        "deliveries of a rare type": f"{deliveries}?event_type=order.rare",
        "deliveries by an error that there is not": f"{deliveries}?error=Nothing",
        "delivery by the provider's id": f"{deliveries}?q={event.event_id}",
        "a delivery": f"{deliveries}{dead.pk}/change/",
        "failures": f"{deliveries}failures/",
        "failures of a week": f"{deliveries}failures/?when=week",
        "failures of an endpoint": f"{deliveries}failures/?endpoint={endpoint.pk}",
        "order to replay all dead letters": f"{deliveries}replay/?status=dead",
        "order to replay one error": f"{deliveries}replay/?status=dead&{one_error}",
        "order to replay all that there is": f"{deliveries}replay/",
        "replays": "/admin/deliveries/replay/",
        "rejections": "/admin/deliveries/rejection/",
        "alerts": "/admin/deliveries/alert/",
        "audit log": "/admin/deliveries/auditentry/",
        "endpoints": "/admin/integrations/endpoint/",
        "an endpoint": f"/admin/integrations/endpoint/{endpoint.pk}/change/",
        "routes": "/admin/integrations/route/",
        "a route": f"/admin/integrations/route/{route.pk}/change/",
        "dry run of a route": f"/admin/integrations/route/{route.pk}/dry-run/?last=10",
    }


def measure(rounds: int) -> dict[str, float]:
    """Return the milliseconds of each page, the middle of ``rounds``."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench"))
    client.get("/admin/")  # templates and permissions are loaded once in a process
    taken: dict[str, float] = {}
    for name, address in pages().items():
        times = []
        for _ in range(rounds):
            begun = time.perf_counter()
            answer = client.get(address)
            times.append((time.perf_counter() - begun) * 1000)
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code}")
        taken[name] = round(statistics.median(times), 1)
        print(f"{taken[name]:9.1f} ms {'  ' if taken[name] <= AIM_MS else '! '}{name}", flush=True)
    return taken


def main() -> None:
    """Fill, measure, print, and save if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", metavar="NAME")
    asked = parser.parse_args()
    django.setup()
    from django.core.management import call_command

    from deliveries.payload_index.rounds import LAG, Indexer

    call_command("migrate", verbosity=0)
    begun = time.perf_counter()
    fill(asked.events)
    print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)
    begun = time.perf_counter()
    Indexer().work_off(timezone.now() + LAG)
    print(f"payloads indexed in {time.perf_counter() - begun:.0f} s", flush=True)
    time.sleep(_REST_SECONDS)
    result = {"events": asked.events, "deliveries": 2 * asked.events, "aim_ms": AIM_MS, "ms": measure(asked.rounds)}
    if asked.save:
        (_RESULTS / f"{asked.save}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
