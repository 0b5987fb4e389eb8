"""The image's own program as the image runs it: no rights, another user, and a root that cannot be written to."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_urlsafe

import httpx
import pytest
from cryptography.fernet import Fernet

from tests import image
from tests.databases import fresh_database
from tests.running_hub import RunningHub, free_port, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.any_database]


class Container:
    """Commands of the built image, beside a volume and a folder for temporary files."""

    def __init__(self, folder: Path) -> None:
        self._file = image.Dockerfile()
        self._app = image.build(folder)
        self.volume, temporary, secrets = folder / "volume", folder / "tmp", folder / "secrets"
        self._writable = [self.volume, temporary]
        for each in (*self._writable, secrets):
            each.mkdir()
        for each in self._writable:
            os.chown(each, self._file.user, self._file.user)
        (secrets / "secret_key").write_text(token_urlsafe(50))
        (secrets / "keys").write_text(Fernet.generate_key().decode())
        self.port = free_port()
        given = self._file.environment
        self.environment = {
            **given,
            "PATH": os.environ["PATH"],
            "HOME": str(self.volume),
            "HUB_DATA_DIR": str(self.volume),
            "DATABASE_URL": given["DATABASE_URL"].replace(given["HUB_DATA_DIR"], str(self.volume)),
            "TMPDIR": str(temporary),
            "SECRET_KEY_FILE": str(secrets / "secret_key"),
            "HUB_ENCRYPTION_KEYS_FILE": str(secrets / "keys"),
            "HUB_BASE_URL": "https://hub.example.com",
            "ALLOWED_HOSTS": "hub.example.com,127.0.0.1",
            "HUB_SELF_CHECK_SECONDS": "60",
            "HUB_WEB_WORKERS": "1",
            "HUB_WORKERS": "1",
            "HUB_PORT": str(self.port),
        }

    def take(self, database: Path) -> None:
        """Have the SQLite file ``database`` in the volume."""
        mine = Path(self.environment["DATABASE_URL"].removeprefix("sqlite:///"))
        database.rename(mine)
        os.chown(mine, self._file.user, self._file.user)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run ``command`` to its end."""
        return subprocess.run(
            image.confined(list(command), writable=self._writable, user=self._file.user),
            cwd=self._app,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def is_healthy(self) -> bool:
        """Return what the health check says."""
        return self.run(*self._file.command("HEALTHCHECK")).returncode == 0

    @contextmanager
    def started(self, output: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run the image's program, which writes to ``output``."""
        command = image.confined(self._file.command("CMD"), writable=self._writable, user=self._file.user)
        with output.open("wb") as told:
            process = subprocess.Popen(
                command, cwd=self._app, env=self.environment, stdout=told, stderr=told, start_new_session=True
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    if os.getuid() != 0:
        pytest.skip("only root can take rights away and make the root read-only")
    if subprocess.run(image.confined(["true"], writable=[], user=65534), check=False).returncode != 0:
        pytest.skip("this machine gives its root no mounts of its own")
    made = Container(tmp_path)

    def migrate(url: str) -> None:
        RunningHub(url, tmp_path).manage("migrate", "--verbosity", "0")

    with fresh_database(tmp_path, migrate=migrate) as url:
        made.take(Path(url.removeprefix("sqlite:///")))
    return made


class TestTheImage:
    def test_takes_an_event_all_the_way_with_a_root_that_it_cannot_write_to(
        self, container: Container, tmp_path: Path
    ) -> None:
        assert container.run("touch", "manage.py").returncode == 1
        assert container.run("touch", str(tmp_path / "new")).returncode == 1
        assert not container.is_healthy()
        output = tmp_path / "output"

        with container.started(output) as process, httpx.Client() as client:

            def last_check() -> object:
                assert process.poll() is None, output.read_text()[-4000:]
                with suppress(httpx.HTTPError):
                    answer = client.get(f"http://127.0.0.1:{container.port}/health/ready").json()
                    return answer["checks"]["self_check"].get("last_seconds") is not None
                return None

            wait_until(last_check, seconds=60, what="an event that came out at the other end")
            assert container.is_healthy()
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0
        assert "Traceback" not in output.read_text()
        assert "Read-only file system" not in output.read_text()
