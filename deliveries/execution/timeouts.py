"""A limit on the time of one handler, enforced from another thread.

Python can raise an exception in a running thread, but only between two of its bytecodes: a handler that sits in a call
to C (a read without a timeout, a long sleep) does not feel it. Such a thread is `stuck`, and only the end of its
process ends it.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import traceback
from types import FrameType, TracebackType

#: So much longer the thread may take to end after it has been interrupted.
GRACE_SECONDS = 5.0

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
_set_async_exc.restype = ctypes.c_int
_NOTHING = ctypes.py_object()  # NULL: takes back an exception that has not been raised yet


class HandlerTimedOut(BaseException):
    """Raised inside a handler whose time is over. No `Exception`, so that handlers do not swallow it by accident."""


class TimeLimit:
    """``with limit:`` around a handler, in its own thread; `interrupt` and the questions are for the one who watches.

    After the block nothing is pending: the interruption has been raised inside, or is taken back.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        #: Where the handler stood when it was interrupted, outermost call first.
        self.stack: traceback.StackSummary | None = None
        self._lock = threading.Lock()
        self._thread_id = 0
        self._inside = False
        self._ends_at: float | None = None
        self._interrupted_at: float | None = None

    def __enter__(self) -> TimeLimit:
        """Start the clock."""
        self._thread_id = threading.get_ident()
        self._ends_at = time.monotonic() + self.seconds
        self._inside = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Stop the clock, and take back an interruption that has been sent and not yet raised."""
        with self._lock:
            self._inside = False
        if self._interrupted_at is not None:
            _set_async_exc(self._thread_id, _NOTHING)

    def extend(self, seconds: float) -> None:
        """Put off the interruption: the handler is going to be ended in a gentler way at the limit."""
        if self._ends_at is not None:
            self._ends_at += seconds

    @property
    def interrupted(self) -> bool:
        """Whether the handler was told that its time is over; it may have swallowed that."""
        return self._interrupted_at is not None

    def is_over(self) -> bool:
        """Return whether the time is over and the handler has not been told."""
        return self._ends_at is not None and self._interrupted_at is None and time.monotonic() >= self._ends_at

    def is_stuck(self) -> bool:
        """Return whether the handler goes on although it was told `GRACE_SECONDS` ago."""
        return (
            self._interrupted_at is not None
            and self._inside
            and time.monotonic() >= self._interrupted_at + GRACE_SECONDS
        )

    def interrupt(self) -> None:
        """Raise `HandlerTimedOut` in the handler's thread, once, unless it has just finished."""
        with self._lock:
            if not self._inside or self._interrupted_at is not None:
                return
            frame: FrameType | None = sys._current_frames().get(self._thread_id)
            if frame is not None:
                self.stack = traceback.extract_stack(frame)
            self._interrupted_at = time.monotonic()
            _set_async_exc(self._thread_id, ctypes.py_object(HandlerTimedOut))
