"""Why a backup was not taken, or not restored."""

from __future__ import annotations


class BackupFailed(Exception):
    """Raised with a line for the operator by everything here; what was there before is as it was."""
