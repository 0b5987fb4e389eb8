"""Backups: whether there is a recent one that can be read."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from deliveries.backup import BackupFailed, newest
from deliveries.doctor.symptoms import Finding, Symptom, warning

_MOST_AGE = timedelta(days=1)


def backups_are_recent(now: datetime) -> Finding:
    """Look at the newest backup in HUB_BACKUP_DIR; without that setting nothing is known about backups."""
    if not settings.HUB_BACKUP_DIR:
        return "", ()
    folder = Path(settings.HUB_BACKUP_DIR)
    again = f"Run `python manage.py backup {folder}`, and see why the timer did not."
    try:
        found = newest(folder)
    except BackupFailed as exc:
        return "", [warning(f"The newest backup cannot be used: {exc}.", again)]
    if found is None:
        return "", [warning(f"There is no backup in HUB_BACKUP_DIR, {folder}.", again)]
    symptoms: list[Symptom] = []
    age = now - found.taken_at
    if age > _MOST_AGE:
        symptoms.append(warning(f"The newest backup is {age.total_seconds() / 3600:.0f} hours old.", again))
    if found.missing_keys:
        text = f"The newest backup needs the keys {', '.join(found.missing_keys)}, which HUB_ENCRYPTION_KEYS lacks."
        symptoms.append(warning(text, "Take a new one; keep the old keys for as long as older backups are kept."))
    return f"the newest is of {found.taken_at:%Y-%m-%d %H:%M} UTC", symptoms
