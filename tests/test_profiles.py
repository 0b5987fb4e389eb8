"""What a profile of the receiving path is read as."""

from __future__ import annotations

from bench.receive.where import areas

WEB = 'process 1:"hub";process 2:"hub gunicorn"'
WORKER = 'process 1:"hub";process 3:"hub django worker"'
BELOW = "Handler.__call__ (hub/requests.py:68);accept (deliveries/receiving/ingest.py:58)"


def test_a_sample_counts_for_the_innermost_frame_that_says_what_it_was_for() -> None:
    stacks = [
        f"{WEB};{BELOW};digest (hmac.py:198) 3",
        f"{WEB};{BELOW};_results (deliveries/models/prepared.py:162) 5",
        f"{WEB};{BELOW};_pipelined (deliveries/models/prepared.py:136) 2",
        f"{WEB};{BELOW};uuid4 (uuid.py:723) 1",
        f"{WEB};run (somebody/else.py:1) 1",
        f"{WORKER};spawn_process (django_q/cluster.py:1);Connection.wait (psycopg/connection.py:495) 4",
    ]

    assert areas(stacks) == {
        "web": {
            "proving the signature": 3,
            "waiting for PostgreSQL's answer": 5,
            "libpq and psycopg": 2,
            "endpoint, draft, columns": 1,
            "other": 1,
        },
        "workers": {"waiting for PostgreSQL's answer": 4},
    }


def test_who_waits_for_work_is_left_out() -> None:
    stacks = [
        f"{WEB};run (threading.py:982);_worker (concurrent/futures/thread.py:81) 9",
        f"{WEB};run (gunicorn/workers/gthread.py:425);EpollSelector.select (selectors.py:468) 9",
        f"{WORKER} 9",
    ]

    assert areas(stacks) == {}
