"""Whether traces and errors arrive where they are sent to: asked only by `manage.py doctor --reach`.

Both are asked as the libraries send to them, past ``HUB_EGRESS_ALLOW``, for the environment names them. Only scheme,
host and port are told: what else an address has can be a key.
"""

from __future__ import annotations

from datetime import datetime

import httpx
from django.conf import settings

from deliveries.doctor.symptoms import Finding, Symptom, warning
from integrations.connectors.http import shown
from integrations.unreachable import Cause, cause_of

#: For so long one is asked; a collector also again and again, as it is if it does not take spans.
SECONDS = 5.0
_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


def collector_takes_traces(_now: datetime) -> Finding:
    """Send the collector of traces a request without spans, with the headers that it wants, and judge its answer."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return "", ()
    from integrations.tracing.otlp import parsed_headers  # an extra, which is there if this is set
    from integrations.tracing.sending import Exporter, url_of

    url = url_of(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
    if not (where := _place(url)):
        return "", [_no_address("OTEL_EXPORTER_OTLP_ENDPOINT")]
    exporter = Exporter(url, headers=parsed_headers(settings.OTEL_EXPORTER_OTLP_HEADERS), seconds=SECONDS)
    try:
        answer = exporter.ask()
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
    if isinstance(answer, Cause):
        text = f"The collector of traces at {where} cannot be asked: {answer.label}. Spans are dropped."
        return where, [warning(text, _mend(answer, "OTEL_EXPORTER_OTLP_ENDPOINT"))]
    if 200 <= answer < 300:
        return f"{where} took a request without spans", ()
    text = f"The collector of traces at {where} answers {answer} to a request without spans: it takes none."
    return where, [warning(text, _mend_of_collector(answer))]


def errors_can_be_reported(_now: datetime) -> Finding:
    """Ask the host of ``SENTRY_DSN`` for any answer; no report is made, so the key in it is not tried."""
    if not settings.SENTRY_DSN:
        return "", ()
    from urllib3.exceptions import HTTPError

    from deliveries import sentry  # an extra, which is there if this is set

    if not (where := _place(settings.SENTRY_DSN)):
        return "", [_no_address("SENTRY_DSN")]
    try:
        status = sentry.ask(f"{where}/", dsn=settings.SENTRY_DSN, seconds=SECONDS)
    except (HTTPError, OSError) as exc:
        cause = cause_of(exc)
        text = f"Errors cannot be reported to {where}: {cause.label}."
        return where, [warning(text, _mend(cause, "SENTRY_DSN"))]
    if status >= 500:
        mend = "Look into its own log: what stands there does not work, or stands before what does not."
        return where, [warning(f"The host of SENTRY_DSN, {where}, answers {status}.", mend)]
    return f"{where} answered {status}", ()


def _place(address: str) -> str:
    """Return scheme, host and port of an address; "" for what is none."""
    try:
        return shown(httpx.URL(address))
    except httpx.InvalidURL:
        return ""


def _no_address(setting: str) -> Symptom:
    return warning(f"{setting} is no address: nothing is sent.", "Look at the host and the port in it.")


def _mend(cause: Cause, setting: str) -> str:
    match cause:
        case Cause.NAME:
            return f"Is the name in {setting} right, and does this machine's DNS know it?"
        case Cause.REFUSED | Cause.NO_HTTP | Cause.TLS:
            return f"Does it run, and are scheme and port in {setting} its own?"
        case Cause.EXPIRED:
            return "Renew its certificate, or set this machine's clock."
        case Cause.OTHER_NAME:
            return f"Set {setting} to the name that its certificate has, or give it one for this name."
        case Cause.UNKNOWN_ISSUER | Cause.CERTIFICATE:
            own = "OTEL_EXPORTER_OTLP_CERTIFICATE" if setting.startswith("OTEL") else "SSL_CERT_FILE"
            return f"Let the hub trust who issued it: {own} names a file with that certificate."
        case _:
            return f"Look at routes, firewall and proxy (HTTPS_PROXY, NO_PROXY) between here and {setting}."


def _mend_of_collector(status: int) -> str:
    if status in {401, 403}:
        return f"Set {_HEADERS} to what it wants as a login; this is not it."
    if 300 <= status < 400:
        return "Set OTEL_EXPORTER_OTLP_ENDPOINT to the address it leads to: redirects are not followed."
    if status in {404, 405, 415, 501}:
        return (
            "Is that its address for OTLP over HTTP (often port 4318; 4317 is gRPC)? /v1/traces is added to "
            "OTEL_EXPORTER_OTLP_ENDPOINT."
        )
    return "Look into the collector's own log."
