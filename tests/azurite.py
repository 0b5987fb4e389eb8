"""Azurite, Microsoft's emulator of Azure Blob Storage, on loopback and in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.running_hub import ROOT, free_port, wait_until

_PACKAGE = ROOT / "tests" / "sdks" / "js" / "node_modules" / "azurite"
ACCOUNT, KEY = "hubtests", "aHVidGVzdHM="


def missing() -> str:
    """Return why it cannot be started; "" if it can."""
    if os.environ.get("CI"):
        return ""  # nothing is skipped for want of a tool
    return "" if shutil.which("node") and _PACKAGE.is_dir() else "Azurite is not installed: make sdks"


@contextmanager
def azurite() -> Iterator[str]:
    """Start it, and yield its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", _PACKAGE / "dist" / "src" / "blob" / "main.js", "--blobPort", str(port)]
        options = ["--inMemoryPersistence", "--disableTelemetry", "--silent", "--skipApiVersionCheck"]
        environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
        with (Path(folder) / "out").open("wb") as out:
            running = subprocess.Popen([*command, *options], cwd=folder, env=environment, stdout=out, stderr=out)
        try:
            wait_until(lambda: _answers(port), what="Azurite")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.kill()
            running.wait()


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.TransportError:
        return False
    return True
