"""Our side of the pipe to the providers' libraries: tests/sdks/peer.py says what goes through it."""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-sdks" / "bin" / "python"
JAVASCRIPT = ROOT / "tests" / "sdks" / "js"

#: A library is imported at its first request; on a busy machine the largest take ten seconds.
ANSWER_SECONDS = 60


class Channel:
    """A process that holds libraries, and the pipe to it."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        # Nothing of ours: a key in the environment is read by some libraries, and so are Django's settings.
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process: it ends with its pipe."""
        self.process.kill()
        self.process.communicate()

    def ask(self, op: str, adapter: str, **values: Any) -> dict[str, Any]:
        """Return the answer to one request; raises AssertionError if the other side failed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps({"op": op, "adapter": adapter, **values})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        if not ready:
            self.close()  # a late answer would be taken for the next one's
        assert ready, f"{adapter}: no answer within {ANSWER_SECONDS} seconds"
        answered = self.process.stdout.readline()
        assert answered, f"{adapter}: the process that holds the libraries has ended"
        answer: dict[str, Any] = json.loads(answered)
        assert "failed" not in answer, f"{adapter}: {answer['failed']}"
        return answer


@cache
def python() -> Channel:
    """Return the channel to the Python libraries."""
    return Channel([str(PYTHON), "-m", "tests.sdks.peer"], ROOT)


@cache
def javascript() -> Channel:
    """Return the channel to the JavaScript libraries."""
    return Channel(["node", "peer.mjs"], JAVASCRIPT)


def missing_python() -> str:
    """Return why the Python libraries cannot be asked; "" if they can."""
    return "" if PYTHON.exists() else "the providers' libraries are not installed: make sdks"


def missing_javascript() -> str:
    """Return why the JavaScript libraries cannot be asked; "" if they can."""
    if not shutil.which("node"):
        return "there is no node here"
    return "" if (JAVASCRIPT / "node_modules").is_dir() else "the providers' libraries are not installed: make sdks"
