"""The web server's settings: ``gunicorn --config python:hub.gunicorn hub.wsgi``.

`manage.py hub` starts it on a socket of its own; started by hand, or in a container, it listens on ``HUB_BIND`` and
``HUB_PORT``.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

from django.conf import settings

from deliveries import error_reports
from deliveries.supervision.cores import free_core, stay_on
from deliveries.supervision.orphans import SUPERVISOR_PID, end_forks_with_parent, end_with_parent
from integrations import tracing

bind = f"{settings.HUB_BIND}:{settings.HUB_PORT}"
worker_class = "hub.webworker.Worker"
workers = settings.HUB_WEB_WORKERS
threads = settings.HUB_WEB_THREADS
# Loaded once before the fork: the workers share the pages. Nothing in it opens a connection.
preload_app = True
proc_name = "hub web"

timeout = settings.HUB_BODY_SECONDS + 30
graceful_timeout = settings.HUB_STOP_SECONDS
# Longer than a load balancer's usual 60 s, so that it is the balancer that closes an idle connection.
keepalive = 75
backlog = 2048
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - memory, so that a busy disk cannot look like a hung worker

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 16_380
# Which addresses are believed is decided by HUB_TRUSTED_PROXIES, in one place.
forwarded_allow_ips = ""

accesslog = None
# Its warnings quote the request lines that it refuses, and what stands in their query strings.
loglevel = "error"
control_socket_disable = True


def worker_exit(_server: Any, _worker: Any) -> None:
    """Send what is left to tell at the end of a worker."""
    tracing.flush()
    error_reports.flush()


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the worker's core, and keep its collections off what it shares with this process."""
    worker.core = free_core(other.core for other in server.WORKERS.values())
    gc.collect()
    gc.freeze()


def post_fork(_server: Any, worker: Any) -> None:
    """Let the worker stay on its core."""
    stay_on(worker.core)


def on_starting(_server: Any) -> None:
    """End with the supervisor, and let the workers end with this process."""
    end_forks_with_parent()
    supervisor = os.environ.get(SUPERVISOR_PID)
    if supervisor:
        end_with_parent(int(supervisor))
