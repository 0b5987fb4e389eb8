"""Ask whether a pinned package has a known hole: ``python -m tests.dependency_audit requirements.txt ...``.

pip-audit does the asking. It fails alike for a hole and for an index that it cannot reach, and passes over packages
that the index does not know; here a hole that a newer version mends fails, and the rest is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MINUTES = 3


def audit(files: Sequence[str], *options: str) -> tuple[int, str]:
    """Return the exit code, 1 for a hole that can be mended and otherwise 0, and what was found, in lines."""
    with tempfile.TemporaryDirectory(prefix="hub-audit-") as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        command += ["--cache-dir", folder, "--format", "json", "--output", str(report), *options]
        command += [part for file in files for part in ("--requirement", file)]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=60 * _MINUTES, check=False)
        except subprocess.TimeoutExpired:
            return 0, f"audit: NOT DONE, no answer within {_MINUTES} minutes"
        if not report.exists() or not report.stat().st_size:
            last = (asked.stderr.strip() or "no reason given").splitlines()[-1]
            return 0, f"audit: NOT DONE, the index of known holes cannot be asked: {last[:300]}"
        return judged(json.loads(report.read_text(encoding="utf-8"))["dependencies"])


def judged(packages: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit code and the lines for what pip-audit has reported of each package."""
    found = [(package, hole) for package in packages for hole in package.get("vulns", ())]
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package, hole in found
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    lines = [f"audit: {len(packages) - len(unknown)} of {len(packages)} packages asked for, {len(holes)} known holes"]
    if unknown:
        lines.append(f"audit: NOT ASKED FOR, the index does not know them: {', '.join(unknown)}")
    return int(any(hole["fix_versions"] for _, hole in found)), "\n".join([*lines, *holes])


if __name__ == "__main__":
    code, text = audit(sys.argv[1:])
    sys.stdout.write(f"{text}\n")
    sys.exit(code)
