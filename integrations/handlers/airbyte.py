"""`airbyte.sync`: a sync of an Airbyte connection that began after the event came, followed to its end.

https://reference.airbyte.com/reference/createjob
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.utils import timezone

from integrations.connectors.answers import Answer
from integrations.connectors.client import HttpClient
from integrations.connectors.runs import Begun
from integrations.contracts import Json
from integrations.errors import GiveUp, HubError, StillRunning
from integrations.handlers import Context, InboundEvent, handler

_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=5)
_USUAL_TIMEOUT_MINUTES = 360
_USUAL_WINDOW_SECONDS = 10
#: How far apart the clocks of a web server and a worker may be.
_CLOCKS_APART = timedelta(seconds=2)
#: Beyond the attempt's own end: whoever is about to start a job has been interrupted by then.
_LEASE_RESERVE = timedelta(seconds=30)
#: What says that another call would be refused, too: no such connection, no permission for it.
_REFUSALS = frozenset({400, 403, 404, 422})

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["connection", "airbyte_connection"],
    "properties": {
        "connection": {
            "type": "string",
            "format": "connection",
            "description": "the name of a connection: base URL https://api.airbyte.com, or .../api/public of your own "
            "Airbyte; OAuth 2.0 client credentials of an application, or a token as bearer",
        },
        "airbyte_connection": {
            "type": "string",
            "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
            "description": "the id of the connection in Airbyte, a UUID: it stands in the address of its page there",
        },
        "coalesce_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 3600,
            "default": _USUAL_WINDOW_SECONDS,
            "description": "how long after an event a sync is started for it: events that follow within this time are "
            "served by the same",
        },
        "timeout_minutes": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10_080,
            "default": _USUAL_TIMEOUT_MINUTES,
            "description": "how long a delivery waits for its sync, and before that for one that is in its way",
        },
    },
}


class SyncFailed(HubError):
    """A sync of Airbyte ended without success; the next attempt takes another one."""


def preview(_event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the job that would be asked for."""
    return {"connectionId": config["airbyte_connection"], "jobType": "sync"}


@handler("airbyte.sync", config_schema=CONFIG_SCHEMA, preview=preview)
def sync(event: InboundEvent, context: Context) -> Json:
    """Have Airbyte sync a connection after the event came; one sync serves all events that came before it began.

    Returns the ``job`` by its id. Raises `StillRunning` until it is over, `SyncFailed` if it failed, `GiveUp` if
    somebody cancelled it or it takes too long.
    """
    jobs = _Jobs(context.http(context.config["connection"]), context.config["airbyte_connection"])
    # A replay from the start is to act again: what came before it does not serve it.
    came = event.received_at if context.attempt == 1 else timezone.now()
    came_at = datetime.fromisoformat(context.once("airbyte: came", came.isoformat))
    before = context.once("airbyte: newest before", lambda: jobs.newest_before(came_at))
    number = 1
    while True:  # one round for each sync that this delivery was served by; all but the last have failed
        due_at = came_at + timedelta(seconds=context.config.get("coalesce_seconds", _USUAL_WINDOW_SECONDS))
        job = _job_after(before, number, jobs=jobs, context=context, due_at=due_at)
        status = jobs.status(job["id"])
        if status == "succeeded":
            context.log("synced", job=job["id"])
            return {"job": job["id"]}
        if status not in {"failed", "cancelled"}:
            _wait(job["since"], f"job {job['id']} is {status}", context)
        if _is_news(f"airbyte: end {number}", status, context):
            raise (SyncFailed if status == "failed" else GiveUp)(f"Airbyte's job {job['id']} is {status}")
        before, number = job["id"], number + 1


def _job_after(before: int, number: int, *, jobs: _Jobs, context: Context, due_at: datetime) -> dict[str, Any]:
    """Return the first job after ``before`` that is found or can be started, and ``since`` when; always the same.

    None is started before ``due_at``.
    """
    since: str = context.once(f"airbyte: since {number}", _now)

    def found_or_started() -> dict[str, Any]:
        # Ids rise. What is newer than what was there when the event was first looked at began after it came; it may
        # be this delivery's own, of which it never got the answer.
        if (left := due_at - timezone.now()) > timedelta(0):
            raise StillRunning(left, "what follows is to be served by the same sync")
        found = jobs.newest()
        if found <= before:
            found = jobs.started_after(before, lease=timedelta(seconds=context.timeout_seconds) + _LEASE_RESERVE)
        if found <= before:
            _wait(since, "a job that began before the event is in the way", context)
        return {"id": found, "since": _now()}

    return context.once(f"airbyte: job {number}", found_or_started)


@dataclass(frozen=True)
class _Jobs:
    """The sync jobs of one of Airbyte's connections."""

    client: HttpClient
    connection_id: str

    def newest(self) -> int:
        """Return the id of the newest, 0 if there was none."""
        params = {"connectionId": self.connection_id, "jobType": "sync", "orderBy": "createdAt|DESC", "limit": 1}
        answer = _accepted(self.client.get("v1/jobs", params=params)).json()
        return max((int(job["jobId"]) for job in answer.get("data", ())), default=0)

    def newest_before(self, moment: datetime) -> int:
        """Return one of which all newer ones began after ``moment``, with what they read: the newest, or an older one.

        So a delivery that is looked at late is served by a job that was started for another, after its event had come.
        """
        last = self.client.runs.last(self.connection_id)
        if last is not None and moment <= last.at - _CLOCKS_APART:
            return last.after
        return self.newest()

    def started_after(self, before: int, *, lease: timedelta) -> int:
        """Start one, or return one after ``before`` that another worker has started meanwhile.

        Returns ``before`` or less if a job that is not over is in the way; raises `StillRunning` while another worker
        is about to start one.
        """
        with self.client.runs.alone(self.connection_id, lease=lease):
            asked_at = timezone.now()
            newest = self.newest()
            if newest > before:
                return newest
            started = self.start()
            if started is None:  # it may be one that somebody else has started since
                return self.newest()
            self.client.runs.begun(self.connection_id, Begun(newest, asked_at))
            return started

    def start(self) -> int | None:
        """Start one and return its id; None if another job of the connection is not over."""
        answer = self.client.post("v1/jobs", json={"connectionId": self.connection_id, "jobType": "sync"})
        return None if answer.status_code == 409 else int(_accepted(answer).json()["jobId"])

    def status(self, job: int) -> str:
        """Return what Airbyte says of a job: pending, queued, running, incomplete, failed, succeeded or cancelled."""
        return str(_accepted(self.client.get(f"v1/jobs/{job}")).json()["status"])[:50]


def _accepted(answer: Answer) -> Answer:
    if answer.status_code in _REFUSALS:
        raise GiveUp(f"Airbyte refuses it: {answer.call} answered {answer.status_code}")
    return answer


def _now() -> str:
    return timezone.now().isoformat()


def _is_news(key: str, value: str, context: Context) -> bool:
    """Return whether no attempt has noted ``key`` before, and note it."""
    noted: list[str] = []

    def note() -> str:
        noted.append(value)
        return value

    context.once(key, note)
    return bool(noted)


def _wait(since: str, why: str, context: Context) -> NoReturn:
    """Raise `StillRunning`, with longer pauses the longer it takes, or `GiveUp` if it takes too long."""
    waited = timezone.now() - datetime.fromisoformat(since)
    minutes = context.config.get("timeout_minutes", _USUAL_TIMEOUT_MINUTES)
    if waited >= timedelta(minutes=minutes):
        raise GiveUp(f"Airbyte is not done after {minutes} minutes: {why}")
    raise StillRunning(min(max(waited / 10, _SHORTEST_PAUSE), _LONGEST_PAUSE), f"Airbyte is not done: {why}")
