"""The public URLs: webhooks come in here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from deliveries.log_context import bind_contextvars, lines_with
from deliveries.models.rollup import Measure
from deliveries.overload.shedding import refuse_overload
from deliveries.receiving import delivered_secrets, endpoints, ingest, last_use, rejections
from deliveries.receiving.authentication import Proof, SignatureAuthentication
from deliveries.receiving.drafts import Acceptance
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.parsing import RawBodyParser, refuse_announced
from deliveries.receiving.permissions import SourceAllowed
from deliveries.receiving.refusals import (
    Disconnected,
    MethodNotAllowed,
    PayloadTooLarge,
    RateLimited,
    Shed,
    SourceNotAllowed,
    Unavailable,
    UnknownEndpoint,
    UnknownProvider,
    UnsupportedMediaType,
)
from deliveries.receiving.source import Address, client_address, inbound_request
from deliveries.receiving.throttling import EndpointRate, Rate, SourceRate
from deliveries.stats.counting import counting
from integrations import tracing
from integrations.contracts import InboundRequest
from integrations.errors import KeysUnavailable, RequestRejected, VerificationFailed
from integrations.providers import Answer

log = structlog.get_logger(__name__)

_JSON = "application/json"
_as_text = json.JSONEncoder(separators=(",", ":")).encode
_RETRY_SECONDS = 5
_KEYS_RETRY_SECONDS = 60  # as long as a failed fetch of a provider's keys is remembered
_HANDSHAKE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Refusals that say nothing about an endpoint's traffic: nothing of theirs is counted or kept.
_NOT_RECORDED = (MethodNotAllowed, UnknownEndpoint, UnknownProvider, Disconnected, Unavailable)


class AlwaysJson(BaseContentNegotiation):
    """JSON, whatever the sender says that it accepts: a webhook is not refused over its Accept header."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the only parser."""
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the only renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ReceiveView(APIView):
    """Take in one webhook: 200 once it is committed; what is refused is in docs/reference/receiving.md."""

    authentication_classes = [SignatureAuthentication]
    permission_classes = [SourceAllowed]
    throttle_classes = [SourceRate, EndpointRate]
    parser_classes = [RawBodyParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    schema = None

    #: A test event that the hub sends itself: it comes from no network.
    from_the_hub_itself = False
    #: What returns such a request without a secret that it shows, as it may be stored.
    conceal: Callable[[InboundRequest], InboundRequest] | None = None

    span: tracing.Span
    endpoint: LiveEndpoint
    source: Address | None
    inbound: InboundRequest
    proof: Proof
    #: The answer to a handshake that carries no proof; such a request is no event.
    handshake_answer: Answer | None = None
    #: The body once it has been read whole, None before.
    body: bytes | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, with one trace from here on, and with what the log lines of it have in common."""
        lines = nullcontext() if getattr(request, "has_lines_of_its_own", False) else lines_with()
        with lines, tracing.receipt(request.META.get("HTTP_TRACEPARENT", "")) as self.span:
            if trace_id := tracing.trace_id():
                bind_contextvars(trace_id=trace_id)
            response = self.respond(request, *args, **kwargs)
            self.span.note(http__request__method=request.method or "")
            self.span.answered(response.status_code)
            return response

    def respond(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do what DRF's own ``dispatch`` does, but for its wrapping of the request, which nothing here asks for."""
        self.args, self.kwargs, self.headers = args, kwargs, self.default_response_headers
        try:
            self.initial(request, *args, **kwargs)
            return self.post(request, *args, **kwargs)
        except Exception as exc:
            return self.handle_exception(exc)

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Check in the order that the documentation promises; DRF's own would prove first and look at the method last.

        The cheap comes first, and nothing is read of a request that will be refused without it.
        """
        self.received_at = timezone.now()
        source_rate, endpoint_rate = self.get_throttles()
        self.endpoint = self.find_endpoint(request.method or "", kwargs.get("slug") or "")
        bind_contextvars(endpoint=self.endpoint.row.slug)
        self.span.note(hub__endpoint=self.endpoint.row.slug)
        self.source = client_address(request)
        self.inbound = inbound_request(request, received_at=self.received_at, source=self.source)
        self.check_load(request)
        refuse_announced(request.META, limit=self.endpoint.row.max_body_bytes)
        self.check_permissions(cast(Request, request))
        self.check_rate(request, source_rate)
        self.inbound = self.inbound.with_body(self.read_body(request))
        self.check_media_type()
        self.handshake_answer = delivered_secrets.take(self.endpoint, self.inbound) or self.shake_hands_unproven()
        if self.handshake_answer is None:
            self.perform_authentication(request)
            self.inbound = self.concealed()
            self.check_rate(request, endpoint_rate)

    def find_endpoint(self, method: str, slug: str) -> LiveEndpoint:
        """Return the endpoint at ``slug``, if it answers ``method``."""
        if method != "POST" and method not in _HANDSHAKE_METHODS:
            raise MethodNotAllowed
        endpoint = endpoints.at(slug)
        if method != "POST" and not (endpoint and endpoint.handshake and method in endpoint.handshake.methods):
            raise MethodNotAllowed
        if endpoint is None:
            raise UnknownEndpoint if slug else UnknownProvider
        return endpoint

    def perform_authentication(self, request: HttpRequest) -> None:
        """Keep the proof of the request; raises `VerificationFailed`."""
        (authentication,) = self.get_authenticators()
        self.proof = cast(SignatureAuthentication, authentication).proof(self)

    def check_load(self, request: HttpRequest) -> None:
        """Refuse what there is no room for, unless that was looked at already. Only a POST can be an event."""
        if request.method == "POST" and not getattr(request, "let_in_by_gate", False):
            refuse_overload(self.endpoint.row.priority, is_test=self.from_the_hub_itself)

    def permission_denied(self, request: HttpRequest, message: str | None = None, code: str | None = None) -> Any:
        """Refuse the source; DRF would make a 401 of it, as nobody has proven anything yet."""
        raise SourceNotAllowed

    def check_rate(self, request: HttpRequest, throttle: BaseThrottle) -> None:
        """Refuse what is over the rate; DRF would look at all throttles at once."""
        rate = cast(Rate, throttle)
        if not rate.allow_request(cast(Request, request), self):
            raise RateLimited(rate.reason, wait_seconds=rate.wait())

    def read_body(self, request: HttpRequest) -> bytes:
        """Return the body as it came, from the server's own input: nothing may parse it before the proof."""
        parser = cast(RawBodyParser, self.get_parsers()[0])
        body: bytes = parser.parse(request, parser_context={"view": self})
        self.body = body
        return body

    def check_media_type(self) -> None:
        """Refuse what is compressed, and types outside the endpoint's own list."""
        encodings = self.inbound.headers.get("Content-Encoding", "")
        if encodings and {part.strip().lower() for part in encodings.split(",")} - {"", "identity"}:
            raise UnsupportedMediaType("content_encoding")
        if self.endpoint.row.content_types and self.inbound.content_type not in self.endpoint.row.content_types:
            raise UnsupportedMediaType("content_type", {"content_type": self.concealed().content_type[:255]})

    def shake_hands_unproven(self) -> Answer | None:
        """Return the answer to a handshake that by its nature carries no proof; None if this is no such thing."""
        handshake = self.endpoint.handshake_with(self.endpoint.secrets_at(self.received_at))
        if handshake is None or self.lacks_secret():
            return None
        answer = handshake.unsigned(self.inbound, self.endpoint.row.settings)
        if answer is None and self.inbound.method != "POST":
            raise MethodNotAllowed
        return answer

    def concealed(self) -> InboundRequest:
        """Return the request as it may be stored: of the hub's own, whoever reads it shall not have the secret."""
        return self.inbound if self.conceal is None else self.conceal(self.inbound)

    def lacks_secret(self) -> bool:
        """Return whether the endpoint refuses everything, as it has no live secret to judge with."""
        return self.endpoint.scheme.needs_key and not self.endpoint.secrets_at(self.received_at)

    def post(self, request: HttpRequest, slug: str = "") -> HttpResponseBase:
        """Store what has been verified, or answer the handshake."""
        endpoint = self.endpoint
        if self.handshake_answer is not None:
            last_use.note_handshake(endpoint.row.pk, at=self.received_at)
            return _as_response(self.handshake_answer)
        payload = endpoint.preset.decode(self.inbound.content_type, self.inbound.body)
        proof = self.proof
        # Answered with the secret that the provider itself has just used.
        handshake = endpoint.handshake_with([secret for secret in endpoint.secrets if secret.id == proof.secret_id])
        if handshake is not None:
            answer = handshake.signed(self.inbound, payload, endpoint.row.settings)
            if answer is not None:
                last_use.note_handshake(endpoint.row.pk, at=self.received_at)
                return _as_response(answer)
        accepted = ingest.accept(endpoint, self.inbound, payload, verdict=proof.verdict)
        bind_contextvars(event_uuid=str(accepted.event_id))
        self.span.note(hub__event=str(accepted.event_id), hub__deliveries=accepted.deliveries)
        last_use.note(proof.secret_id, at=self.received_at)
        taken = (timezone.now() - self.received_at).total_seconds()
        counting.time(Measure.ACK, endpoint.row.pk, at=self.received_at, seconds=taken)
        log.info(
            "event.duplicate" if accepted.is_duplicate else "event.accepted",
            endpoint=endpoint.row.slug,
            event_uuid=str(accepted.event_id),
            deliveries=accepted.deliveries,
        )
        return self.as_accepted(accepted, payload)

    def as_accepted(self, accepted: Acceptance, payload: Any) -> HttpResponseBase:
        """Return the answer to an event: the provider's own, else the hub's; a repeated one gets the same status."""
        answer = self.endpoint.preset.answer_to(payload, self.endpoint.row.settings)
        if answer is not None:
            return _as_response(answer)
        status = self.endpoint.row.accepted_status
        return _as_json(None if status in {204, 205} else accepted.as_json(), status)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], HttpResponseBase | None]:
        """Return what turns a refusal into its answer; anything else is a fault of the hub and stays one."""
        return self.as_answer

    def as_answer(self, exc: Exception, context: Mapping[str, Any]) -> HttpResponseBase | None:
        """Return the answer to ``exc``, having recorded it; None if it is not a refusal."""
        if isinstance(exc, OperationalError | InterfaceError):
            log.error("receiving.database_unavailable", error_type=type(exc).__name__)
            exc = Unavailable(wait_seconds=_RETRY_SECONDS)
        if not isinstance(exc, RequestRejected):
            return None
        self.span.note(error__type=exc.reason)
        self.record(exc)
        if isinstance(exc, VerificationFailed) and self.endpoint.preset.refused is not None:
            refused = self.endpoint.preset.refused
            return _as_response(replace(refused, headers={**self.headers_of(exc), **refused.headers}))
        answer = _as_json({"error": exc.error}, exc.status_code, self.headers_of(exc))
        # Django would log each as an error. Of shedding there is a line when it begins, and one when it ends.
        answer._has_been_logged = isinstance(exc, Shed)  # type: ignore[attr-defined]
        return answer

    def record(self, refusal: RequestRejected) -> None:
        """Count and keep what an existing endpoint refused."""
        if isinstance(refusal, Shed):
            rejections.count(self.endpoint, refusal, at=self.received_at)
        if isinstance(refusal, _NOT_RECORDED):
            return
        size = refusal.body_bytes if isinstance(refusal, PayloadTooLarge) else len(self.body or b"")
        kept = self.concealed()
        body = self.body if kept is self.inbound or self.body is None else kept.body
        rejections.record(self.endpoint, kept, refusal, body=body, body_bytes=size)

    def headers_of(self, refusal: RequestRejected) -> dict[str, str]:
        """Return the headers that HTTP wants with a refusal."""
        if isinstance(refusal, RateLimited | Unavailable):
            return {"Retry-After": str(refusal.retry_after)}
        if isinstance(refusal, KeysUnavailable):
            return {"Retry-After": str(_KEYS_RETRY_SECONDS)}
        if isinstance(refusal, MethodNotAllowed):
            return {"Allow": "POST"}
        if refusal.status_code == 401:
            return {"WWW-Authenticate": self.get_authenticate_header(self.request)}
        return {}

    def get_authenticate_header(self, request: HttpRequest) -> str:
        """Return the challenge of a 401."""
        (authentication,) = self.get_authenticators()
        return cast(SignatureAuthentication, authentication).challenge(self)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return none: DRF would tell strangers on every answer which methods there are."""
        return {}


def _as_json(value: Any, status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return ``value`` as JSON, as DRF would render it; None as nothing."""
    if value is None:
        answer = HttpResponse(status=status, headers=headers)
        del answer["Content-Type"]
        return answer
    return HttpResponse(_as_text(value), _JSON, status, headers=headers)


def _as_response(answer: Answer) -> HttpResponse:
    return HttpResponse(
        answer.body, status=answer.status, content_type=answer.content_type, headers=dict(answer.headers)
    )
