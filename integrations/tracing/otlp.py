"""Traces by OpenTelemetry, sent by OTLP over HTTP. Imported only where they are wanted: the packages are an extra.

The exporter with its thread is made by the first span of a process, so after any fork. Its queue is bounded and drops
what does not fit; nobody who makes a span waits for the network.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from multiprocessing.util import Finalize
from uuid import UUID

import httpx
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers

from integrations.tracing import FLUSH_SECONDS, Ended, Value, Work
from integrations.tracing.sending import Exporter, url_of

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_NO_CONTEXT = Context()


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose id is known before it: what happened within has been told under it."""

    def __init__(self) -> None:
        self._planned = threading.local()

    @contextmanager
    def planned(self, trace_id: int, span_id: int) -> Iterator[None]:
        """Give the span that is made in the block, by this thread, these ids."""
        self._planned.ids = trace_id, span_id
        try:
            yield
        finally:
            self._planned.ids = None

    def generate_trace_id(self) -> int:
        ids = getattr(self._planned, "ids", None)
        return super().generate_trace_id() if ids is None else int(ids[0])

    def generate_span_id(self) -> int:
        ids = getattr(self._planned, "ids", None)
        return super().generate_span_id() if ids is None else int(ids[1])


class _Span:
    def __init__(self, span: trace.Span, *, errors_from: int = 400) -> None:
        self._span, self._errors_from = span, errors_from

    def note(self, **attributes: Value) -> None:
        """Add attributes."""
        self._span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})

    def answered(self, status: int) -> None:
        """Say with what status it ended."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= self._errors_from:
            self._span.set_status(Status(StatusCode.ERROR))
            if "error.type" not in (getattr(self._span, "attributes", None) or {}):
                self._span.set_attribute("error.type", str(status))

    def failed(self, error_type: str) -> None:
        """Say that it did not end well."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR))


class OtlpTracer:
    """Sends spans to ``endpoint``, an OTLP/HTTP base address; ``headers`` go with each request, tokens among them."""

    def __init__(self, endpoint: str, *, headers: Mapping[str, str], service: str, version: str) -> None:
        self._url = url_of(endpoint)
        self._headers = dict(headers)
        # Nothing of what the SDK would find out by itself: the command line of a process can hold anything.
        self._resource = Resource({"service.name": service, "service.version": version})
        self._ids = _Ids()
        self._lock = threading.Lock()
        self._made: TracerProvider | None = None
        self._exporter: Exporter | None = None
        self._in_vain = False
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock, self._made, self._in_vain = threading.Lock(), None, False

    @property
    def _provider(self) -> TracerProvider:
        made = self._made
        if made is None:
            with self._lock:
                made = self._made = self._made or self._make()
        return made

    def _make(self) -> TracerProvider:
        provider = TracerProvider(resource=self._resource, id_generator=self._ids, shutdown_on_exit=False)
        self._exporter = Exporter(self._url, headers=self._headers)
        provider.add_span_processor(BatchSpanProcessor(self._exporter))
        Finalize(None, self.close, exitpriority=1)  # at the end of a fork nothing else is run
        return provider

    @property
    def _tracer(self) -> trace.Tracer:
        return self._provider.get_tracer("hub")

    @contextmanager
    def receipt(self, traceparent: str, *, name: str) -> Iterator[_Span]:
        """Open the span of a request that comes in."""
        sender = _parsed(traceparent)
        parent = _NO_CONTEXT if sender is None else _context_of(sender)
        with self._open(name, parent, SpanKind.SERVER) as span:
            yield span

    @contextmanager
    def call(self, request: httpx.Request) -> Iterator[_Span]:
        """Open the span of an outgoing call. Its path and query may be secrets, so neither is told."""
        with self._open(request.method, None, SpanKind.CLIENT) as span:
            span.note(http__request__method=request.method, server__address=request.url.host)
            if request.url.port is not None:
                span.note(server__port=request.url.port)
            request.headers["traceparent"] = self.traceparent()
            yield span

    @contextmanager
    def _open(self, name: str, parent: Context | None, kind: SpanKind) -> Iterator[_Span]:
        # An exception's text can be a piece of a payload.
        with self._tracer.start_as_current_span(
            name, parent, kind, record_exception=False, set_status_on_exception=False
        ) as span:
            # OpenTelemetry's conventions: a 4xx is an error of whoever asked.
            opened = _Span(span, errors_from=500 if kind is SpanKind.SERVER else 400)
            try:
                yield opened
            except BaseException as exc:
                opened.failed(type(exc).__name__)
                raise

    @contextmanager
    def within(self, work: Work) -> Iterator[None]:
        """Let what happens in the block belong to the attempt."""
        token = contexts.attach(_context_of(self._span_context(work, work.number)))
        try:
            yield
        finally:
            contexts.detach(token)

    def ended(self, work: Work, ended: Ended) -> None:
        """Tell of an attempt that is over, with a link to the one before."""
        own = self._span_context(work, work.number)
        receipt = _parsed(work.traceparent)
        earlier = [Link(self._span_context(work, work.number - 1))] if work.number > 1 else []
        with self._ids.planned(own.trace_id, own.span_id):
            span = self._tracer.start_span(
                ended.name,
                _NO_CONTEXT if receipt is None else _context_of(receipt),
                SpanKind.CONSUMER,
                attributes={**ended.attributes, "hub.outcome": ended.outcome},
                links=earlier,
                start_time=ended.began_ns,
            )
        if ended.error_type:
            _Span(span).failed(ended.error_type)
        span.end(ended.ended_ns)

    def traceparent(self) -> str:
        """Return the W3C ``traceparent`` of what goes on in this thread; "" if nothing does."""
        current = trace.get_current_span().get_span_context()
        if not current.is_valid:
            return ""
        return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags & 1:02x}"

    def flush(self, seconds: float) -> None:
        """Send what there is, for ``seconds`` at most; the SDK's own flush waits as long as its exporter does.

        Once is all that a process waits in vain.
        """
        if self._made is not None and not self._in_vain:
            began = time.monotonic()
            _for_a_while(self._made.force_flush, seconds)
            self._in_vain = time.monotonic() - began >= seconds

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Flush, and end the exporter with its thread."""
        self.flush(seconds)
        provider, exporter = self._made, self._exporter
        self._made = self._exporter = None
        if provider is not None and exporter is not None:
            # First: it is what a try that waits listens to.
            exporter.shutdown()  # type: ignore[no-untyped-call]
            _for_a_while(provider.shutdown, 0 if self._in_vain else seconds)

    def _span_context(self, work: Work, number: int) -> SpanContext:
        """Return the ids of the n-th attempt; they follow from its row, so that any process can name any attempt."""
        receipt = _parsed(work.traceparent)
        if receipt is not None:
            trace_id, flags = receipt.trace_id, receipt.trace_flags
        else:
            trace_id = work.event_id.int
            decision = self._provider.sampler.should_sample(None, trace_id, "").decision
            is_sampled = decision == Decision.RECORD_AND_SAMPLE
            flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
        return SpanContext(trace_id, _span_id(work.delivery_id, number), is_remote=False, trace_flags=flags)


def parsed_headers(text: str) -> dict[str, str]:
    """Return the headers in ``name=value,name=value``, percent-encoded, as OpenTelemetry has it in the environment."""
    return dict(parse_env_headers(text, liberal=True))


def _for_a_while(do: Callable[[], object], seconds: float) -> None:
    thread = threading.Thread(target=do, name="last traces", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # at the very end of a program no thread can be started any more
        do()
    else:
        thread.join(seconds)


def _span_id(delivery_id: UUID, number: int) -> int:
    digest = blake2b(delivery_id.bytes + number.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1  # zero is no id


def _context_of(span_context: SpanContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(span_context), _NO_CONTEXT)


def _parsed(traceparent: str) -> SpanContext | None:
    """Return the ids in a W3C ``traceparent``; None for what is none."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None or (traceparent.startswith("00") and len(traceparent.strip()) != 55):
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & TraceFlags.SAMPLED))
