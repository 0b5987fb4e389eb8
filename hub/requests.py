"""Django's request, without its belief in what a sender says of the charset."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """A request whose query string and form are UTF-8, whatever its Content-Type announces.

    Django reads the query string with the announced charset while it makes the request, before anything catches an
    error: "hex", or a thousand parameters beside any charset, would be a 500 at every address. Webhooks are read as
    raw bytes, so nothing is lost.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        announced = meta.get("CONTENT_TYPE", "")
        try:
            self.content_type, self.content_params = parse_header_parameters(announced)
        except (LookupError, ValueError):  # parameters may be encoded, in a charset that is none
            self.content_type, self.content_params = announced.partition(";")[0].strip().lower(), {}


class Handler(WSGIHandler):
    """Django's WSGI application, with that request."""

    request_class = Request
