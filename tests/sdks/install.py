"""``python -m tests.sdks.install DIRECTORY``: make the environment of the providers' libraries, within bounded time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
JAVASCRIPT = Path(__file__).parent / "js"

#: Seconds for all of it, a second try after a broken connection included.
SECONDS = 300


def main(directory: Path) -> None:
    """Install the Python libraries into ``directory`` and the JavaScript ones beside their adapters."""
    deadline = time.monotonic() + SECONDS
    venv.create(directory, with_pip=True, clear=True)
    pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Bytecode is made for what is used, not for the tens of thousands of modules that are there. The list is complete,
    # so there is nothing to resolve.
    _run([*pip, "--no-compile", "--no-deps", "--requirement", ROOT / "requirements-sdks.txt"], deadline)
    npm = shutil.which("npm")
    if npm and shutil.which("node"):
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], deadline)
    elif os.environ.get("CI"):
        sys.exit("sdks: node and npm are needed for the JavaScript libraries")
    else:
        print("sdks: no node and npm here, so the JavaScript libraries are left out and their tests skipped")


def _run(command: list[str | Path], deadline: float, *, tries: int = 2) -> None:
    for left in reversed(range(tries)):
        try:
            subprocess.run(command, cwd=JAVASCRIPT, timeout=max(deadline - time.monotonic(), 1), check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
            if not left:
                sys.exit(f"sdks: {exc}")
        else:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
