"""`manage.py hub`: one supervisor that keeps the web server and the workers running, and ends them cleanly.

django-q2's cluster can hang, freeze and leave orphans: an idle worker that is killed holds the queue's lock for ever,
a SIGTERM to the whole group hangs its main process, a killed main process leaves working children. So the supervisor
believes in work done, not in processes: workers touch the beat file while they are able to work, and a cluster that
has not touched it for a while is killed as a group and replaced.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import structlog
from django.conf import settings

from deliveries.supervision.child import Child
from deliveries.supervision.orphans import SUPERVISOR_PID
from deliveries.supervision.places import Places

log = structlog.get_logger(__name__)

#: The environment variable that names the file which working workers touch.
BEAT_FILE = "HUB_BEAT_FILE"

_LOOK_EVERY = 0.1
#: How long workers may take from their start to their first sign of life.
_START_SECONDS = 60.0
#: Beyond the time that children give their own requests and handlers.
_STOP_MARGIN = 5.0


class Supervisor:
    """Keeps web server and workers running until a signal asks it to end."""

    def __init__(self, places: Places, *, on_ready: Callable[[], None]) -> None:
        self._places = places
        self._on_ready = on_ready
        self._asked_to_end = 0
        self._started_ns = 0
        self._heard = 0, 0.0
        # Nobody else's: the lock of the same name is held.
        self._beat = settings.HUB_DATA_DIR / f"hub-{settings.HUB_PORT}.beat"
        self._beat.touch(mode=0o600)
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "hub.settings"),
            SUPERVISOR_PID: str(os.getpid()),
            BEAT_FILE: str(self._beat),
        }
        folder = str(settings.BASE_DIR)
        application = settings.WSGI_APPLICATION.replace(".application", ":application")
        listen = ["--bind", f"fd://{places.listener.fileno()}"]
        web = ["gunicorn", "--config", "python:hub.gunicorn", *listen, application]
        # Copies of this process, in which Django is loaded already: so its memory is there once.
        self._web = Child("web", ["hub", "gunicorn"], environment, folder, run=lambda: _serve(web))
        self._workers = Child(
            "workers", ["hub", "django", "worker"], environment, folder, run=_work, closes=places.descriptors[1:]
        )

    def run(self) -> None:
        """Run until SIGINT or SIGTERM; a second signal ends everything at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_end)
        try:
            ready = False
            while not self._asked_to_end:
                self._web.keep_running()
                self._keep_workers_working()
                if not ready and self._answers():
                    ready = True
                    self._on_ready()
                time.sleep(_LOOK_EVERY)
            self._end()
        finally:
            for child in self._children:
                child.kill()
            self._beat.unlink(missing_ok=True)

    @property
    def _children(self) -> tuple[Child, Child]:
        return self._web, self._workers

    def _ask_to_end(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_end += 1

    def _keep_workers_working(self) -> None:
        before = self._workers.pid
        touched_ns = self._beat.stat().st_mtime_ns
        if touched_ns != self._heard[0]:
            self._heard = touched_ns, time.monotonic()  # the clock on the wall may be put forward
        silent = time.monotonic() - self._heard[1]
        bound: float = settings.HUB_FROZEN_SECONDS
        if touched_ns == self._started_ns:  # nothing heard of it yet: on a busy machine the start alone takes longer
            bound = max(bound, _START_SECONDS)
        if before is not None and silent > bound:
            log.error("workers.frozen", silent_seconds=round(silent))
            self._workers.kill()
        self._workers.keep_running()
        if self._workers.pid != before:
            self._started_ns = time.time_ns()
            os.utime(self._beat, ns=(self._started_ns, self._started_ns))
            self._heard = self._started_ns, time.monotonic()

    def _answers(self) -> bool:
        """Return whether the web server answers; asked on the listening address itself."""
        address = self._places.listener.getsockname()
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104 - compared, not bound
        try:
            with socket.create_connection((host, address[1]), timeout=0.5) as probe:
                probe.sendall(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return probe.recv(4) == b"HTTP"
        except OSError:
            return False

    def _end(self) -> None:
        log.info("hub.stopping")
        # New connections are refused from here on; those that the web server has taken in, it answers.
        self._places.listener.close()
        for child in self._children:
            child.ask_to_end()
        until = time.monotonic() + settings.HUB_STOP_SECONDS + _STOP_MARGIN
        # Each is asked, not only the first that has not ended: has_ended() also clears up after one.
        while len([child for child in self._children if child.has_ended()]) < len(self._children):
            if time.monotonic() > until or self._asked_to_end > 1:
                log.warning("hub.killing", reason="second signal" if self._asked_to_end > 1 else "time is up")
                return
            time.sleep(_LOOK_EVERY)
        log.info("hub.stopped")


def _serve(arguments: list[str]) -> None:
    """Be the web server."""
    from gunicorn.app.wsgiapp import run

    sys.argv = arguments
    run()


def _work() -> None:
    """Be the main process of the workers."""
    from deliveries.execution.cluster import run_cluster

    sys.exit(run_cluster())
