"""Run pieces of code with the settings of a hub, each in a process of its own, without an interpreter's start for each.

Importing the hub takes more than a second of a core's time, and tests that wait for a row look many times. So one
process imports it and forks for every piece of code: it begins as a new interpreter does
after ``django.setup()``, with no connection and nothing cached, and what it does to itself is gone with it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Runs this very file on the code in the present folder: that of an older release may have no such file.
_START = "import os, runpy, sys; sys.path[0] = os.getcwd(); runpy.run_path(sys.argv[1], run_name='__main__')"
_SECONDS = 60  # as long as one piece of code may take


class Shell:
    """The forking process of one environment; it ends with `close`, or with the process that made it."""

    def __init__(self, environment: Mapping[str, str], *, root: Path = ROOT) -> None:
        self.environment = environment
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(Path(__file__).resolve())],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._turn = threading.Lock()

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run ``code`` to its end, or for a minute; its return code is that of an interpreter."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(code) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the hub's settings cannot be imported"
        return subprocess.CompletedProcess(code, **json.loads(answer))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    import django
    from django.db import connections

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    django.setup()
    connections.close_all()
    assert threading.active_count() == 1, "a fork would lack the other threads"
    gc.freeze()  # a collection in a fork would copy every page
    for line in sys.stdin:
        print(json.dumps(_run_forked(json.loads(line))), file=answers, flush=True)


def _run_forked(code: str) -> dict[str, object]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            _be_an_interpreter(code)
        _, status = os.waitpid(child, 0)
        texts = [(file.seek(0), file.read().decode(errors="replace"))[1] for file in (out, err)]
    return {"returncode": os.waitstatus_to_exitcode(status), "stdout": texts[0], "stderr": texts[1]}


def _be_an_interpreter(code: str) -> None:
    """Run ``code`` and end the process, as ``python -c`` does: also with what is to be done at the exit."""
    from django.db import connections

    signal.alarm(_SECONDS)
    status = 1
    try:
        exec(code, {"__name__": "__main__"})
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        connections.close_all()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
