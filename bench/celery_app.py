"""The same trivial work through Celery with Redis: runs in an environment of its own (`make bench-engine`).

``python -m bench.celery_app COUNT`` fills the queue, starts a worker (prefork 2, `acks_late`), and prints how many
tasks a second it got done, from the first that it took to the last acknowledgement.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from celery import Celery

app = Celery("bench", broker=os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0"))
app.conf.task_acks_late = True
app.conf.task_ignore_result = True


@app.task(name="bench.trivial")
def trivial(number: int) -> None:
    """Do nothing."""


def main(count: int) -> float:
    """Return tasks a second."""
    with app.connection_for_write() as connection:
        redis = connection.default_channel.client
        for number in range(count):
            trivial.apply_async((number,), connection=connection)
        command = [sys.executable, "-m", "celery", "-A", "bench.celery_app", "worker", "-P", "prefork", "-c", "2"]
        quiet = ["--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
        worker = subprocess.Popen([*command, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            while redis.llen("celery") == count:
                time.sleep(0.002)
            began = time.monotonic()
            while redis.llen("celery") or redis.hlen("unacked"):
                time.sleep(0.005)
            return count / (time.monotonic() - began)
        finally:
            worker.terminate()
            worker.wait(20)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
