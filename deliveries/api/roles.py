"""Permissions that are not a model's own view, add, change or delete."""

from deliveries.retention.legal_hold import PERMISSION as MAY_HOLD
from integrations.guards import MAY_REVEAL

__all__ = ["MAY_HOLD", "MAY_OPERATE", "MAY_REVEAL", "MAY_SEE_CREDENTIALS"]

#: Replay, discard, pause, resume, send a test event: what an operator may do and a viewer may not.
MAY_OPERATE = "deliveries.replay_delivery"
#: Who may set an endpoint's secrets may also see the credentials in its events.
MAY_SEE_CREDENTIALS = "integrations.change_endpoint"
