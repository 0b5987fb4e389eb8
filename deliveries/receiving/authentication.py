"""The signature is the sender's proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication

from deliveries.models import Verdict
from integrations.verification.reasons import Reason, unproven

if TYPE_CHECKING:
    from rest_framework.request import Request

    from deliveries.receiving.view import ReceiveView


@dataclass(frozen=True)
class Proof:
    """What came of the verification: ``request.auth``. ``secret_id`` is the secret that fitted, if one is needed."""

    verdict: Verdict
    secret_id: UUID | None = None


class SignatureAuthentication(BaseAuthentication):
    """Lets the endpoint's scheme judge the request with every live secret; nobody is logged in by it."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Proof]:
        """Return the proof; raises `VerificationFailed`. An endpoint without a live secret proves nothing."""
        view = cast("ReceiveView", request.parser_context["view"])
        scheme, inbound = view.endpoint.scheme, view.inbound
        if not scheme.needs_key:
            scheme.verify(inbound, [])
            return AnonymousUser(), Proof(Verdict.UNVERIFIED)
        secrets = view.endpoint.secrets_at(inbound.received_at)
        if not secrets:
            raise unproven(Reason.NO_LIVE_SECRET)
        fitting = scheme.verify(inbound, [secret.value for secret in secrets])
        return AnonymousUser(), Proof(Verdict.VERIFIED, secrets[fitting].id)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401: some clients send Basic credentials only when they are asked to."""
        view = cast("ReceiveView", request.parser_context["view"])
        return 'Basic realm="hooks"' if view.endpoint.scheme.kind == "basic" else "Signature"
