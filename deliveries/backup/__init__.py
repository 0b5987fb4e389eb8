"""The whole database as one file beside its manifest, and back: `manage.py backup` and `manage.py restore`."""

from __future__ import annotations

from deliveries.backup.errors import BackupFailed
from deliveries.backup.manifest import Manifest
from deliveries.backup.restoring import Restored, restore
from deliveries.backup.taking import newest, remove_old, take

__all__ = ["BackupFailed", "Manifest", "Restored", "newest", "remove_old", "restore", "take"]
