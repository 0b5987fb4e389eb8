"""The same promise with FastAPI, Celery and Redis: verified, kept once, run by a worker, and its end recorded.

Runs in an environment of its own (`make bench-receive` makes it). What was accepted is in Redis: the promise is as good
as its ``appendfsync``. It does less than the hub: no rows to look through, no routes, no replay, no lease of workers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time

from celery import Celery
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from redis import Redis

_URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")
_SECRET = os.environ.get("BENCH_SECRET", "").encode()

celery = Celery("rival", broker=_URL)
celery.conf.task_acks_late = True
celery.conf.task_ignore_result = True
redis = Redis.from_url(_URL)
app = FastAPI(openapi_url=None)


@celery.task(name="rival.handle")
def handle(event_id: str) -> None:
    """Read the event, do nothing with it, and record that."""
    stored = redis.get(f"event:{event_id}")
    json.loads(stored or b"")
    redis.set(f"done:{event_id}", time.time())


@app.post("/hooks/{slug}")
async def receive(slug: str, request: Request) -> Response:  # noqa: ARG001 - of the path
    """Verify, keep once under the provider's id, and hand over."""
    body = await request.body()
    digest = hmac.new(_SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), f"sha256={digest}"):
        return Response(status_code=401)
    json.loads(body)
    is_new = await run_in_threadpool(_keep, request.headers["X-GitHub-Delivery"], body)
    return Response('{"status": "accepted"}' if is_new else '{"status": "duplicate"}', media_type="application/json")


def _keep(event_id: str, body: bytes) -> bool:
    if not redis.set(f"event:{event_id}", body, nx=True):
        return False
    handle.delay(event_id)
    return True
