"""What the hub stands on: the proxy before it, the file system of its database, the time zones of the machine."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import Error

from deliveries import replica
from deliveries.doctor.machine import database_files
from deliveries.doctor.symptoms import Finding, problem, warning

#: Where Linux says what is mounted.
MOUNTS = Path("/proc/self/mounts")
#: File systems whose locks do not hold between machines, or whose shared memory is none: SQLite's WAL needs both.
_OVER_A_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "lustre"}
)
_A_ZONE = "Europe/Berlin"


def proxies_are_trusted(_now: datetime) -> Finding:
    """Look whether the proxy that must stand before an https address is believed."""
    if not settings.HUB_BASE_URL.startswith("https://") or settings.HUB_TRUSTED_PROXIES:
        return "", ()
    text = (
        "HUB_BASE_URL is https, so a proxy ends TLS, and HUB_TRUSTED_PROXIES is empty: every request seems to come "
        "from that proxy, limits by source take all senders for one, and X-Forwarded-Proto is not believed."
    )
    return "", [warning(text, "Set HUB_TRUSTED_PROXIES to the network of the proxy, such as 127.0.0.0/8.")]


def replica_answers(_now: datetime) -> Finding:
    """Look whether the read replica can be asked; without it lists are read from the database, and nobody notices."""
    if not replica.is_there():
        return "", ()
    try:
        behind = replica.seconds_behind()
    except Error as exc:  # not its text: it can hold the address
        text = f"HUB_READ_DATABASE_URL does not answer ({type(exc).__name__}): lists are read from DATABASE_URL."
        return "", [warning(text, "Is the replica running, is the address right, may the role read there?")]
    return "" if behind is None else f"{behind:.0f} s behind", ()


def database_is_local(_now: datetime) -> Finding:
    """Look whether SQLite's file is on a file system of this machine."""
    files = database_files()
    kind = file_system(files[0]) if files else ""
    if kind not in _OVER_A_NETWORK:
        return kind, ()
    text = f"The SQLite file {files[0]} is on a network file system ({kind}): its locks do not hold."
    return kind, [problem(text, "Move it to a local disk, or use PostgreSQL.")]


def time_zones_are_there(_now: datetime) -> Finding:
    """Look for the data that schedules in a time zone need."""
    try:
        ZoneInfo(_A_ZONE)
    except ZoneInfoNotFoundError:
        mend = "Install the system's package tzdata, or `pip install tzdata` into the hub's environment."
        return "", [problem("There is no time zone data: schedules that name a zone cannot run.", mend)]
    return "", ()


def file_system(path: Path) -> str:
    """Return the kind of file system that ``path`` is on, such as ``ext4``; "" where the machine does not say."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found, longest = "", -1
    for _device, place, kind, *_rest in (line.split() for line in lines):
        # Blanks in a name are written \040. Of two mounts at one place the later hides the other.
        mount = Path(place.replace("\\040", " "))
        if path.resolve().is_relative_to(mount) and len(mount.parts) >= longest:
            found, longest = kind, len(mount.parts)
    return found
