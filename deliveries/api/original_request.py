"""``/events/{id}/request/``: the request as it came, credentials included, for a hub or a program on a laptop."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from django.db.models import Model
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import ORDER, caller, log
from deliveries.api.roles import MAY_SEE_CREDENTIALS
from deliveries.models import Event
from deliveries.revealing import reveal
from integrations.api.permissions import ModelPermissions

if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet

    _View = GenericViewSet[Event]
else:
    _View = object


class CredentialPermissions(ModelPermissions):
    """Both are needed: the permission to see the row, and the one to see credentials."""

    def get_required_permissions(self, method: str, model_cls: type[Model]) -> list[str]:
        """Return the names of the permissions."""
        return [*super().get_required_permissions(method, model_cls), MAY_SEE_CREDENTIALS]


class OriginalRequestActions(_View):
    """The action of an event's view that gives away what all others mask."""

    @action(detail=True, url_path="request", permission_classes=[CredentialPermissions])
    def original_request(self, request: Request, pk: str) -> Response:
        """Return method, URL, headers and body as received, for part of a batch the whole; noted in the log.

        Only for who may see credentials, whatever the event holds: signatures are in nearly all.
        """
        event = self.get_object()
        received = event.as_received
        if received.raw_body is None:
            raise NotFound(event.why_no_body or "The body has not been kept.")
        reveal(event, by=caller(request), what="the original request")
        log(request, event, ORDER, "read the original request, credentials included.")
        query_string = received.original_query_string
        shown = {
            "id": str(event.pk),
            "batch": event.batch_id and str(event.batch_id),
            "endpoint": event.endpoint.slug,
            "provider": event.provider,
            "received_at": received.received_at,
            "method": "POST",
            "url": f"{event.endpoint.url}?{query_string}" if query_string else event.endpoint.url,
            "query_string": query_string,
            "headers": dict(received.original_headers),
            "body": base64.b64encode(received.body).decode("ascii"),
        }
        return Response(shown, headers={"Cache-Control": "no-store"})
