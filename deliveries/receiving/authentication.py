"""The signature is the sender's proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication

from deliveries.models import Verdict
from deliveries.receiving.endpoints import LiveEndpoint
from integrations.contracts import InboundRequest
from integrations.verification.reasons import Reason, unproven

if TYPE_CHECKING:
    from rest_framework.request import Request

    from deliveries.receiving.view import ReceiveView


@dataclass(frozen=True)
class Proof:
    """What came of the verification: ``request.auth``. ``secret_id`` is the secret that fitted, if one is needed."""

    verdict: Verdict
    secret_id: UUID | None = None


def prove(endpoint: LiveEndpoint, request: InboundRequest, *, now: datetime) -> Proof:
    """Return the proof of ``request`` under the secrets that are live ``now``; raises `VerificationFailed`.

    An endpoint without a live secret proves nothing. Timestamps are judged at the request's arrival.
    """
    scheme = endpoint.scheme
    if not scheme.needs_key:
        scheme.verify(request, [])
        return Proof(Verdict.UNVERIFIED)
    secrets = endpoint.secrets_at(now)
    if not secrets:
        raise unproven(Reason.NO_LIVE_SECRET)
    fitting = scheme.verify(request, [secret.value for secret in secrets])
    return Proof(Verdict.VERIFIED, secrets[fitting].id)


class SignatureAuthentication(BaseAuthentication):
    """Lets the endpoint's scheme judge the request with every live secret; nobody is logged in by it."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Proof]:
        """Return the proof; raises `VerificationFailed`. An endpoint without a live secret proves nothing."""
        return AnonymousUser(), self.proof(cast("ReceiveView", request.parser_context["view"]))

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return self.challenge(cast("ReceiveView", request.parser_context["view"]))

    def proof(self, view: ReceiveView) -> Proof:
        """Return the proof of the request that ``view`` has read; raises `VerificationFailed`."""
        return prove(view.endpoint, view.inbound, now=view.inbound.received_at)

    def challenge(self, view: ReceiveView) -> str:
        """Return what a 401 asks for: some clients send Basic credentials only when they are asked to."""
        return 'Basic realm="hooks"' if view.endpoint.scheme.kind == "basic" else "Signature"
