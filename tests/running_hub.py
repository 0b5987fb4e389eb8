"""The hub as a user starts it: real processes on a database and a port of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from cryptography.fernet import Fernet

from tests.databases import fresh_database
from tests.shell import Shell

ROOT = Path(__file__).resolve().parent.parent

_SECRET_SETTINGS = ("SECRET_KEY", "HUB_ENCRYPTION_KEYS", "HUB_ADMIN_PASSWORD")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], *, seconds: float = 20, what: str = "it") -> Any:
    """Return the first true value of ``condition``; fail when ``seconds`` are over."""
    begun = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begun
        if waited > seconds:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        # A look costs the waited-for hub a part of its core: the longer it takes, the less often.
        time.sleep(min(max(0.05, waited / 10), 0.25))


class RunningHub:
    """`manage.py` with an environment of its own; `start` runs `manage.py hub`."""

    #: Where its code is.
    root = ROOT

    def __init__(self, database_url: str, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "hub.log"
        self.environment: Mapping[str, str] = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.journey_settings",
            "DATABASE_URL": database_url,
            "SECRET_KEY": "journey-" + "k" * 50,
            "HUB_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HUB_PORT": str(self.port),
            "HUB_BASE_URL": self.url,
            "HUB_DATA_DIR": str(folder / "var"),
            "HUB_SECRET_DEMO": "demo-" + "s" * 40,
            "HUB_EGRESS_ALLOW": "127.0.0.0/8",
            "HUB_STOP_SECONDS": "10",
            # Tests run several hubs at once, and all would choose the same cores.
            "HUB_OWN_CORES": "false",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._shell: Shell | None = None

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.root,
            env=self.environment,
            check=check,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def python(self, code: str) -> str:
        """Run ``code`` in a process of its own with the hub's settings and return what it prints."""
        if self._shell is None or self._shell.environment is not self.environment:
            self._close_shell()
            self._shell = Shell(self.environment, root=self.root)
        done = self._shell.run(code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, *arguments: str, wait: bool = True) -> None:
        """Start `manage.py hub` in a process group of its own."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "hub", *arguments],
                cwd=self.root,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the web server answers and a worker works."""

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.output.read_text()[-4000:]
            with suppress(httpx.HTTPError):
                return client.get(f"{self.url}/health/ready").status_code == 200
            return False

        with httpx.Client(timeout=5) as client:  # one for all looks: it reads the machine's certificates
            wait_until(ready, seconds=40, what="the hub's readiness")

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and all that descends from it."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def stop(self) -> int:
        """Ask it to end as Ctrl-C does; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)

    def kill_everything(self) -> None:
        """End whatever still runs."""
        self._close_shell()
        if self.process is None:
            return
        with suppress(psutil.NoSuchProcess):
            for process in reversed(self.processes()):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait(10)

    def told_secrets(self) -> list[str]:
        """Return the names of the settings whose values stand in what it wrote."""
        told = self.output.read_text(errors="replace") if self.output.exists() else ""
        return [name for name in _SECRET_SETTINGS if (value := self.environment.get(name)) and value in told]

    def _close_shell(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None


@contextmanager
def web_server(hub: RunningHub, *, answers: Callable[[], bool]) -> Iterator[None]:
    """Run the web server of ``hub`` alone, with the hub's own settings, from when it ``answers``."""
    with hub.output.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "python:hub.gunicorn", "hub.wsgi"],
            cwd=ROOT,
            env=hub.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(answers, what="the web server")
        yield
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def running_hub(folder: Path, *, database_url: str = "", **settings: str) -> Iterator[RunningHub]:
    """Yield a hub with a migrated database, ``database_url`` or one of its own; it is not started yet."""

    def migrate(url: str) -> None:
        RunningHub(url, folder, **settings).manage("migrate", "--verbosity", "0")

    with nullcontext(database_url) if database_url else fresh_database(folder, migrate=migrate) as url:
        if database_url:
            migrate(url)
        hub = RunningHub(url, folder, **settings)
        try:
            yield hub
        finally:
            hub.kill_everything()
        assert hub.told_secrets() == []
