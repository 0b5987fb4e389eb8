"""What can come between a listener and its events."""

from __future__ import annotations

from integrations.errors import HubError


class HubAway(HubError):
    """The other hub does not answer, or cannot now; trying again later can help."""


class HubRefuses(HubError):
    """The other hub says no (token, permission, no such endpoint); trying again cannot help."""


class NotToBeHad(HubError):
    """The other hub does not give this one event's request: not kept any more, or its body holds credentials."""


class NothingListens(HubError):
    """Nobody takes connections at the local address: the event waits until somebody does."""
