"""What sends spans, and says once that nobody takes them, with the reason, and once that they are taken again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import requests
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from integrations.unreachable import Cause, cause_of

log = structlog.get_logger(__name__)

_EXPORT_SECONDS = 5.0


class _Session(requests.Session):
    """Remembers how its last request ended: the library says neither to who calls it."""

    ended = ""
    answer: int | Cause = Cause.OTHER

    @property
    def took(self) -> bool:
        """Whether what was sent last has been taken."""
        return isinstance(self.answer, int) and 200 <= self.answer < 300

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send, by the certificates that OpenTelemetry's variable names: requests lets one of its own go before."""
        if self.verify is not True:
            kwargs["verify"] = self.verify
        try:
            response = super().request(*args, **kwargs)
        except Exception as exc:
            self.ended, self.answer = type(exc).__name__, cause_of(exc)
            raise
        self.ended, self.answer = f"status {response.status_code}", response.status_code
        return response


class Exporter(OTLPSpanExporter):
    """Sends to one address, in one thread at a time."""

    def __init__(self, url: str, *, headers: Mapping[str, str], seconds: float = _EXPORT_SECONDS) -> None:
        self._asked = _Session()
        self._fails = False
        super().__init__(endpoint=url, headers=dict(headers), timeout=seconds, session=self._asked)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send; a log line for each batch of a day without a collector would help nobody."""
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS and not self._asked.took:
            result = SpanExportResult.FAILURE  # the library takes a redirect for success, and follows none
        if self._shutdown:  # nobody knows whether it would have been taken
            return result
        if result is SpanExportResult.SUCCESS and self._fails:
            log.warning("traces.sent_again")
        elif result is not SpanExportResult.SUCCESS and not self._fails:
            log.warning("traces.not_sent", reason=self._asked.ended)
        self._fails = result is not SpanExportResult.SUCCESS
        return result

    def ask(self) -> int | Cause:
        """Send a request without spans, as any other is sent; return the answer's status, or why there is none."""
        super().export([])
        return self._asked.answer


def url_of(endpoint: str) -> str:
    """Return where spans are sent to below ``endpoint``, an OTLP/HTTP base address."""
    return f"{endpoint.rstrip('/')}/v1/traces"
