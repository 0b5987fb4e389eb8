"""What can go wrong, as the caller sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from integrations.retry import RetryPolicy


class HubError(Exception):
    """The root of the hub's own errors; never raised itself."""


class RequestRejected(HubError):
    """A request is refused: ``status_code`` and ``error`` are what the sender sees, ``reason`` is for the operator.

    ``reason`` is short and stable (a metric label, a filter in the admin); ``detail`` holds plain JSON values that
    explain it (``{"stale_by_seconds": 412}``) and never a secret.
    """

    status_code: ClassVar[int]
    error: ClassVar[str]

    def __init__(self, reason: str = "", detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason or self.error)
        self.reason = reason or self.error
        self.detail = dict(detail or {})


class VerificationFailed(RequestRejected):
    """401: no proof that the provider sent it."""

    status_code = 401
    error = "invalid_signature"


class MalformedPayload(RequestRejected):
    """400: proven, but not what its content type or the provider's documentation says."""

    status_code = 400
    error = "malformed_payload"


class KeysUnavailable(RequestRejected):
    """503: the provider's public key cannot be had now; the same request may be proven later."""

    status_code = 503
    error = "unavailable"


class RetryLater(HubError):
    """A handler asks for another try, no sooner than ``after``."""

    #: Whether the attempt counts among those that the route's policy allows.
    spends_attempt: ClassVar[bool] = True

    def __init__(self, after: timedelta, reason: str = "") -> None:
        super().__init__(reason or f"retry in {after}")
        self.after = after


class NotCalled(RetryLater):
    """An outside system was not called, as it would be no use now: the delivery waits, and no attempt is spent."""

    spends_attempt = False


class CircuitOpen(NotCalled):
    """The system has failed several times in a row and is left alone for a while."""


class RateLimited(NotCalled):
    """The connection's rate is used up, or the system has said that it wants no calls before a moment."""


class ConnectionPaused(NotCalled):
    """An operator has paused the connection."""


class StillRunning(RetryLater):
    """What an outside system was asked to do is not over yet: the delivery looks again, and no attempt is spent.

    Whoever raises it has to come to an end: the route's number of attempts sets none, only its greatest age would.
    """

    spends_attempt = False


class ConnectionMissing(HubError):
    """A handler names a connection that there is not, or whose credentials cannot be had; the message says which."""


class GiveUp(HubError):
    """A handler says that another run cannot help: the delivery goes to the dead letters at once."""


class StepFailed(HubError):
    """A step of a flow has failed with ``cause``, at its try number ``tries``.

    ``policy`` is the step's own: it decides whether and when there is another try, which spends none of the delivery's
    attempts. None leaves it to the route, as if its handler had failed with ``cause``.
    """

    def __init__(self, step: str, cause: Exception, *, tries: int, policy: RetryPolicy | None) -> None:
        super().__init__(f"Step {step}: {cause}")
        self.step = step
        self.cause = cause
        self.tries = tries
        self.policy = policy


class AttemptLost(HubError):
    """Another worker has taken the delivery over: raised by ``context.once`` before it begins a step for nothing."""


class UnknownHandler(HubError):
    """A route names a handler that no installed app registers."""


class ReferenceMissing(HubError):
    """A secret's reference (``env:NAME``, ``file:NAME``) leads nowhere; the message names the reference."""
