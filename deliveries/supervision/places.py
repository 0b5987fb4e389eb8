"""What only one hub can have: its lock and its port."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

_WAIT_FOR_PLACES = 10.0


class Taken(Exception):
    """Somebody else has the lock or the port; the text says who, as far as it is known."""


@dataclass(frozen=True)
class Places:
    """What only one hub can have; held from before the children start until after they ended."""

    lock: int
    listener: socket.socket

    @classmethod
    def take(cls) -> Places:
        """Wait up to 10 s for the lock and the port, which a killed hub's last children may still hold.

        Raises `Taken`, whose text says what is in the way.
        """
        until = time.monotonic() + _WAIT_FOR_PLACES
        lock = wait_for_lock(settings.HUB_DATA_DIR / f"hub-{settings.HUB_PORT}.lock", until=until)
        return cls(lock, wait_for_port(settings.HUB_BIND, settings.HUB_PORT, until=until))

    @property
    def descriptors(self) -> tuple[int, int]:
        """What the children inherit."""
        return self.lock, self.listener.fileno()


def wait_for_lock(path: Path, *, until: float) -> int:
    """Return the descriptor of the locked file ``path``; raises `Taken` at ``until`` (`time.monotonic`).

    The supervisor hands the descriptor on to its children. So the lock is free again only when the last process of
    the previous hub has ended, however it ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _retry(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB), until=until)
    except OSError as exc:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise Taken(f"another hub is running here (process {owner}); stop it first") from exc
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def wait_for_port(host: str, port: int, *, until: float) -> socket.socket:
    """Return a listening socket; raises `Taken` at ``until`` (`time.monotonic`), or for an address of another machine.

    The supervisor keeps it open: while the web server restarts, connections wait instead of being refused.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _retry(lambda: listener.bind(address), until=until)
        listener.listen(2048)
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            raise Taken(f"port {port} on {host} is taken by another program; stop it, or set HUB_PORT") from exc
        raise Taken(f"cannot listen on {host} port {port}: {os.strerror(exc.errno or 0)}") from exc
    return listener


def _retry(step: Callable[[], object], *, until: float) -> None:
    while True:
        try:
            step()
        except OSError as exc:
            if exc.errno not in {errno.EADDRINUSE, errno.EAGAIN} or time.monotonic() >= until:
                raise
            time.sleep(0.1)
        else:
            return
