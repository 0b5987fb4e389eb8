"""Where the time of a profiled run goes: ``python -m bench.receive.where FOLDER``, of what ``--profile FOLDER`` kept.

A sample is a thread that was at work or waited for the database; one that waits for work is left out. It counts for the
innermost of its frames that says what it was for.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

_IDLE = re.compile(
    r"_worker \(concurrent/futures/thread\.py:81\)|EpollSelector\.select|Condition\.wait \(|run_cluster \(|"
    r"ReadingDeadlines\._watch|HandlerThreads\._work"
)
#: By what is in a frame; the first that fits, from the innermost frame outwards.
_AREAS = (
    (
        "waiting for PostgreSQL's answer",
        r"_(results|sent) \(deliveries/models/prepared\.py|Connection\.wait \(psycopg/",
    ),
    ("libpq and psycopg", r"psycopg|deliveries/models/(prepared|raw)\.py"),
    (
        "handing over between threads",
        r"concurrent/futures|threading\.py|selectors\.py|webworker\.py|PollableMethodQueue",
    ),
    ("the log line", r"logging/|structlog|hub/logging\.py"),
    ("proving the signature", r"integrations/verification|deliveries/receiving/authentication|hmac\.py"),
    ("encrypting the signature that is kept", r"cryptography/|integrations/encryption\.py"),
    ("gunicorn: reading, parsing, answering", r"gunicorn/"),
    ("claiming, handling, recording", r"deliveries/execution|django_q/|multiprocessing/"),
    ("endpoint, draft, columns", r"deliveries/|integrations/"),
    ("Django", r"django/|hub/"),
)
_PROCESS = re.compile(r'process \d+:"([^"]*)"')

Areas = Mapping[str, Counter[str]]


def areas(lines: Iterable[str]) -> Areas:
    """Return by kind of process how many samples were for what, of folded stacks: ``frame;frame;... count``."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        frames = [frame for frame in stack.split(";") if not _PROCESS.match(frame)]
        if frames and not _IDLE.search(frames[-1]):
            found[_kind(stack)][_area(frames)] += int(count)
    return found


def _kind(stack: str) -> str:
    return "workers" if "worker" in _PROCESS.findall(stack)[-1] else "web"


def _area(frames: list[str]) -> str:
    for frame in reversed(frames):
        for name, pattern in _AREAS:
            if re.search(pattern, frame):
                return name
    return "other"


def main() -> None:
    """Print a table for each case that the folder has."""
    parser = argparse.ArgumentParser(prog="python -m bench.receive.where", description=__doc__)
    parser.add_argument("folder", type=Path)
    for path in sorted(parser.parse_args().folder.glob("*.txt")):
        for kind, found in sorted(areas(path.read_text().splitlines()).items()):
            print(f"{path.stem}, {kind}: {found.total():,} samples")
            for name, count in found.most_common():
                print(f"  {count / found.total():6.1%}  {name}")


if __name__ == "__main__":
    main()
