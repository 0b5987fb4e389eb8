"""The shared URL, ``/hooks``: one address for several endpoints; whose a request is shows in its headers and proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from deliveries.receiving import endpoints
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.parsing import refuse_announced
from deliveries.receiving.refusals import MethodNotAllowed, PayloadTooLarge, UnknownProvider
from deliveries.receiving.source import client_address, inbound_request
from deliveries.receiving.view import ReceiveView
from integrations.errors import RequestRejected, VerificationFailed
from integrations.verification.base import MAX_KEYS

#: So many secrets are tried for one request, over all endpoints: each costs a digest of the body, also for strangers.
MAX_TRIES = 20


class SharedReceiveView(ReceiveView):
    """Take in a webhook without a slug, for the endpoint that recognises it and whose secret fits.

    The checks are those of an endpoint's own URL, in the same order; each leaves out the endpoints that would refuse,
    and once none is left, the request is refused as the first of them would. It is recorded there, too. Failures of
    proof look alike however many endpoints there are, and none of those that may be tried is spared. A handshake
    without a proof belongs to an endpoint's own URL.
    """

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Check as an endpoint's own URL does, for all the endpoints that may be meant."""
        self.received_at = timezone.now()
        source_rate, endpoint_rate = self.get_throttles()
        if request.method != "POST":
            raise MethodNotAllowed
        self.source = client_address(request)
        self.inbound = inbound_request(request, received_at=self.received_at, source=self.source)
        left = self.recognising()
        left = self.passing(left, lambda: self.check_load(request))
        left = self.passing(left, lambda: refuse_announced(request.META, limit=self.endpoint.row.max_body_bytes))
        left = self.passing(left, lambda: self.check_permissions(cast(Request, request)))
        left = self.passing(left, lambda: self.check_rate(request, source_rate))
        self.endpoint = max(left, key=lambda endpoint: endpoint.row.max_body_bytes)
        self.inbound = self.inbound.with_body(self.read_body(request))
        left = self.passing(left, self.check_length)
        left = self.passing(left, self.check_media_type)
        self.prove(request, left)
        self.check_rate(request, endpoint_rate)

    def get_authenticate_header(self, request: HttpRequest) -> str:
        """Return the same challenge for all endpoints."""
        return "Signature"

    def recognising(self) -> list[LiveEndpoint]:
        """Return the endpoints that the request may be meant for, with `MAX_TRIES` secrets between them.

        Raises `UnknownProvider` if there is none.
        """
        found: list[LiveEndpoint] = []
        room = MAX_TRIES
        for slug in endpoints.recognising(self.inbound):
            endpoint = endpoints.at(slug)
            if endpoint is None:
                continue
            room -= max(1, min(MAX_KEYS, len(endpoint.secrets_at(self.received_at))))
            if room < 0:
                break
            found.append(endpoint)
        if not found:
            raise UnknownProvider
        return found

    def passing(self, candidates: Sequence[LiveEndpoint], check: Callable[[], object]) -> list[LiveEndpoint]:
        """Return those of ``candidates`` that do not refuse in ``check``; raises the first one's refusal if all do."""
        left, refusals = [], []
        for candidate in candidates:
            self.endpoint = candidate
            try:
                check()
                left.append(candidate)
            except RequestRejected as exc:
                refusals.append(exc)
        self.endpoint = (left or candidates)[0]
        if not left:
            raise refusals[0]
        return left

    def check_length(self) -> None:
        """Refuse a body that was read as another endpoint takes more of it."""
        size, limit = len(self.inbound.body), self.endpoint.row.max_body_bytes
        if size > limit:
            raise PayloadTooLarge("too_large", body_bytes=size, limit=limit)

    def prove(self, request: HttpRequest, candidates: Sequence[LiveEndpoint]) -> None:
        """Settle on the endpoint whose secret fits; raises the first one's `VerificationFailed` if none does."""
        refusals = []
        for candidate in candidates:
            self.endpoint = candidate
            try:
                self.perform_authentication(request)
                return
            except VerificationFailed as exc:
                refusals.append(exc)
        self.endpoint = candidates[0]
        detail = {**refusals[0].detail, "endpoints_tried": len(candidates)}
        raise VerificationFailed(refusals[0].reason, detail)
