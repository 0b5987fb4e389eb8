"""What the Dockerfile makes, on this machine and without a container: files, build step, environment, user and root.

Nothing is installed and no other Linux is tried. But the steps and commands are the Dockerfile's own, the files are
those that `.dockerignore` lets through, and what runs then may write to its volume and to a folder for temporary files
alone.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.running_hub import ROOT

_PROGRAM = "/opt/venv/bin/python"
#: Reading is left to it, as this machine's Python may be in somebody's home; the image's is not.
_RIGHTS = "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search"


class Dockerfile:
    """The repository's Dockerfile, taken apart."""

    def __init__(self) -> None:
        joined = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
        self._build, self._last = (stage for stage in re.split(r"^FROM .*$", joined, flags=re.MULTILINE)[1:])

    @property
    def copied(self) -> list[str]:
        """What is copied from the repository."""
        return [
            name
            for line in re.findall(r"^COPY (?!--from)(.+)$", self._build, re.MULTILINE)
            for name in line.split()[:-1]
        ]

    @property
    def build_step(self) -> str:
        """The shell line that works on the copied files."""
        _, _, after = self._build.partition("COPY . .")
        (line,) = re.findall(r"^RUN (.+)$", after, re.MULTILINE)
        return line.replace(_PROGRAM, shlex.quote(sys.executable))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of what runs."""
        (line,) = re.findall(r"^ENV (.+)$", self._last, re.MULTILINE)
        return dict(pair.split("=", 1) for pair in shlex.split(line))

    @property
    def user(self) -> int:
        """The id of the user as whom it runs."""
        return int(re.findall(r"^USER (\d+)$", self._last, re.MULTILINE)[-1])

    def command(self, kind: str) -> list[str]:
        """Return the ``kind`` of command: ``CMD`` is the program, ``HEALTHCHECK`` what asks it how it is."""
        options = r"(?:--\S+ +)*CMD" if kind == "HEALTHCHECK" else ""
        (found,) = re.findall(rf"^{kind} +{options} *(\[.+\])$", self._last, re.MULTILINE)
        program, *arguments = json.loads(found)
        return [sys.executable if program == "python" else program, *arguments]


def is_let_through(name: str) -> bool:
    """Return whether `.dockerignore` lets a file or folder at the top through to the build."""
    patterns = (ROOT / ".dockerignore").read_text().split()
    return not any(fnmatch.fnmatch(name, pattern.removeprefix("**/")) for pattern in patterns)


def build(folder: Path, *, umask: int = 0o022) -> Path:
    """Copy and build into ``folder`` what was cloned under ``umask``; return where the program is."""
    app = folder / "app"
    app.mkdir()
    for path in ROOT.iterdir():
        if not is_let_through(path.name):
            continue
        if path.is_dir():
            shutil.copytree(path, app / path.name)  # with bytecode, which the build would only make anew
        else:
            shutil.copy(path, app)
    for path in (app, *app.rglob("*")):
        path.chmod(path.stat().st_mode & ~umask)
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    subprocess.run(
        ["sh", "-c", Dockerfile().build_step], cwd=app, env=bare, check=True, capture_output=True, timeout=60
    )
    return app


def confined(command: list[str], *, writable: list[Path], user: int) -> list[str]:
    """Return ``command`` as ``user`` without rights, where nothing but the ``writable`` can be written to; for root."""
    kept = (f"mount --bind {shlex.quote(str(folder))} {shlex.quote(str(folder))}" for folder in writable)
    prepare = " && ".join(["mount --make-rprivate /", *kept, "mount -o bind,remount,ro /"])
    run = f"exec setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs {_RIGHTS} {shlex.join(command)}"
    return ["unshare", "--mount", "sh", "-c", f"{prepare} && {run}"]
