"""The machine: files that others may read, room on the disk, static files."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.contrib.staticfiles.storage import staticfiles_storage

from deliveries.doctor.symptoms import Finding, Symptom, problem, warning

#: Below it a database stops in the middle of a write.
_LEAST_FREE_BYTES = 200 * 1024**2
_LITTLE_FREE_BYTES = 1024**3
_A_STATIC_FILE = "deliveries/admin.css"


def files_are_private(_now: datetime) -> Finding:
    """Look at the permissions of what holds keys and data."""
    paths = [(Path(settings.BASE_DIR) / ".env", "600"), *((path, "600") for path in database_files())]
    if settings.HUB_SECRETS_DIR:
        paths.append((Path(settings.HUB_SECRETS_DIR), "700"))
        if not Path(settings.HUB_SECRETS_DIR).is_dir():
            mend = "Make the folder, mount it, or correct HUB_SECRETS_DIR."
            return "", [problem(f"HUB_SECRETS_DIR, {settings.HUB_SECRETS_DIR}, is no folder.", mend)]
    return "", [symptom for path, mode in paths if (symptom := _others_may(path, mode))]


def disk_has_room(_now: datetime) -> Finding:
    """Look at the free room where the hub writes."""
    symptoms, facts = [], []
    folders = {Path(settings.HUB_DATA_DIR), *(path.parent for path in database_files()[:1])}
    for folder in sorted(map(_existing, folders)):
        usage = shutil.disk_usage(folder)
        facts.append(f"{usage.free / 1024**3:.1f} GiB free at {folder}")
        if usage.free < _LITTLE_FREE_BYTES:
            make = problem if usage.free < _LEAST_FREE_BYTES else warning
            text = f"Only {usage.free // 1024**2} MiB are free at {folder}."
            symptoms.append(make(text, "Free some; `python manage.py prune` removes what was kept for long enough."))
        if not os.access(folder, os.W_OK):
            symptoms.append(problem(f"{folder} cannot be written to.", "Give it to the user that the hub runs as."))
    return "; ".join(dict.fromkeys(facts)), symptoms


def static_files_are_there(_now: datetime) -> Finding:
    """Look for one of the admin's own files, as the web server does."""
    mend = "Run `python manage.py collectstatic --noinput`; without it the admin has no look, or answers 500."
    manifest = getattr(staticfiles_storage, "hashed_files", None)
    if manifest is not None:
        collected = manifest.get(_A_STATIC_FILE)
        if collected is None or not staticfiles_storage.exists(collected):
            return "", [problem("The static files have not been collected.", mend)]
    elif find(_A_STATIC_FILE) is None:
        return "", [problem("The static files are not there.", mend)]
    return "", ()


def database_files() -> list[Path]:
    """Return the files of an SQLite database, the main one first; none on PostgreSQL."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    path = Path(str(database["NAME"]))
    return [path, path.with_name(f"{path.name}-wal")]


def _others_may(path: Path, mode: str) -> Symptom | None:
    """Return the symptom of a file that others than its owner may read or write; None if it is private or not there."""
    try:
        found = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if not found & 0o077:
        return None
    words = "read" if not found & 0o022 else "read and change"
    level = warning if path.is_dir() and not found & 0o022 else problem
    return level(f"Others on this machine may {words} {path} (mode {found:o}).", f"chmod {mode} {path}")


def _existing(folder: Path) -> Path:
    """Return ``folder``, or the first above it that is there: the hub makes its folders when it starts."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
