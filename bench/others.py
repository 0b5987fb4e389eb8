"""Plain django-q2, and Celery with Redis, on the same trivial work: each started from scratch, measured, and ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CELERY_PYTHON = ROOT / ".venv-celery" / "bin" / "python"


def plain_q_per_second(database_url: str, *, count: int) -> float:
    """Return tasks a second through `async_task` with the ORM broker and django-q2's defaults."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bench.plain_q_settings",
        "DATABASE_URL": database_url,
        "PYTHONWARNINGS": "ignore",
    }
    _run([sys.executable, "-m", "django", "migrate", "--verbosity", "0"], environment)
    cluster = subprocess.Popen(
        [sys.executable, "-m", "django", "qcluster"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return float(json.loads(_run([sys.executable, "-m", "bench.plain_q", str(count)], environment)))
    finally:
        os.killpg(cluster.pid, signal.SIGKILL)
        cluster.wait()


def celery_per_second(*, count: int) -> float | None:
    """Return tasks a second through Celery; None if its environment or redis-server is not there."""
    server = shutil.which("redis-server")
    if server is None or not CELERY_PYTHON.exists():
        return None
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        redis = subprocess.Popen(  # noqa: S603
            [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder], stdout=subprocess.DEVNULL
        )
        try:
            _wait_for_port(port)
            environment = {**os.environ, "BENCH_REDIS_URL": f"redis://127.0.0.1:{port}/0", "C_FORCE_ROOT": "1"}
            return float(json.loads(_run([str(CELERY_PYTHON), "-m", "bench.celery_app", str(count)], environment)))
        finally:
            redis.terminate()
            redis.wait(20)


def _wait_for_port(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-4000:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
