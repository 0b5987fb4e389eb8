"""Make ``.env`` with fresh keys, unless it is there: ``python -m hub.firstrun``. `make run` calls it."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from cryptography.fernet import Fernet

_TEXT = """\
# Made by `make run`. Keep this file secret and backed up: without HUB_ENCRYPTION_KEYS no stored secret can be read.
SECRET_KEY={secret_key}
HUB_ENCRYPTION_KEYS={encryption_key}
# The key of the demo endpoint, which refers to it as env:HUB_SECRET_DEMO.
HUB_SECRET_DEMO={demo}
"""


def main(path: Path) -> int:
    """Write ``path`` if it does not exist; return the exit code."""
    text = _TEXT.format(
        secret_key=secrets.token_urlsafe(50),
        encryption_key=Fernet.generate_key().decode(),
        demo=secrets.token_hex(32),
    )
    try:
        # O_EXCL: two runs at once must not end with keys that differ from those already in use.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return 0
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    sys.stdout.write(f"made {path.name} with fresh keys\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent / ".env"))
