"""Django's request, without its belief in what a sender says of the charset, and the chain that it passes through."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters
from django.utils.log import log_response
from django.utils.module_loading import import_string

from hub import around, webhooks

#: What a webhook has no use for: who is logged in, what their browser keeps, and files. All else applies to it, too.
ONLY_FOR_PEOPLE = frozenset(
    {
        "hub.middleware.admin_place",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "hub.middleware.viewer_zone",
        "hub.middleware.english",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "deliveries.signing_in.sessions.limits",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
        "deliveries.signing_in.second_factor.gate",
    }
)


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
    """Django's WSGI application, with that request, and a chain of middleware for webhooks of what concerns them."""

    request_class = Request
    #: What answers webhooks, where all of what they pass through is the hub's own.
    _webhook: Callable[[HttpRequest], HttpResponse] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> HttpResponseBase:
        """Answer a request; a webhook without what Django does for whoever makes links to pages, or sets cookies."""
        path = environ.get("PATH_INFO", "")
        if self._webhook is None or not _is_webhook(path) or environ.get("SCRIPT_NAME") or settings.FORCE_SCRIPT_NAME:
            return super().__call__(environ, start_response)
        around.begin(self.__class__, environ)
        request = self.request_class(environ)
        response = self._webhook(request)
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        around.end_with(response)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return response

    def load_middleware(self, is_async: bool = False) -> None:
        """Make both chains, and choose between them by the path."""
        super().load_middleware(is_async)
        whole: Callable[[HttpRequest], HttpResponseBase] = self._middleware_chain  # type: ignore[has-type]
        short = self._chain_for_webhooks()

        def chosen(request: HttpRequest) -> HttpResponseBase:
            return (short if _is_webhook(request.path_info) else whole)(request)

        self._middleware_chain = chosen

    def _chain_for_webhooks(self) -> Callable[[HttpRequest], HttpResponseBase]:
        chain: Any = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        names = [name for name in settings.MIDDLEWARE if name not in ONLY_FOR_PEOPLE]
        if webhooks.can_do(names):
            self._webhook = webhooks.chain(chain)
            return self._webhook
        for name in reversed(names):
            try:
                chain = convert_exception_to_response(import_string(name)(chain))
            except MiddlewareNotUsed:
                continue
        return cast(Callable[[HttpRequest], HttpResponseBase], chain)


def _is_webhook(path: str) -> bool:
    return path == "/hooks" or path.startswith("/hooks/")
