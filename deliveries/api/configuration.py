"""What endpoints and routes have in common: they are made, changed, held, released and retired, each on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from deliveries.api.audit import ADDITION, CHANGE, DELETION, log
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.api.releases import ResumeOrder
from deliveries.api.roles import MAY_OPERATE
from integrations.api.views import HubViewSet, M


class ConfigurationViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    HubViewSet[M],
):
    """GET, POST, PATCH and DELETE, pause and resume. A subclass says what holding means, in `set_held`."""

    action_permissions: ClassVar[dict[str, str]] = {"pause": MAY_OPERATE, "resume": MAY_OPERATE}
    #: The column that says whether deliveries are held.
    hold_field: ClassVar[str]

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """Save the new row; raises `Conflict` if somebody else took its place in the same moment."""
        with _conflicts(), transaction.atomic():
            log(self.request, serializer.save(), ADDITION, "made.")

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Save what was changed; a changed `hold_field` also moves the deliveries that wait."""
        before = getattr(serializer.instance, self.hold_field)
        with _conflicts(), transaction.atomic():
            row = serializer.save()
            log(self.request, row, CHANGE, f"changed {', '.join(sorted(serializer.validated_data)) or 'nothing'}.")
            if getattr(row, self.hold_field) != before:
                self.move_deliveries(row)

    def perform_destroy(self, instance: Any) -> None:
        """Take the row out of service; what it did stays."""
        with transaction.atomic():
            instance.retire(now=timezone.now())
            log(self.request, instance, DELETION, "retired.")

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: str) -> Response:
        """Hold the deliveries that have not started, and those to come."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        return self._hold(held=True)

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: str) -> Response:
        """Let the deliveries go, with ``rate_per_second`` one after the other."""
        order = ResumeOrder(data=request.data)
        order.is_valid(raise_exception=True)
        return self._hold(held=False, rate_per_second=order.validated_data["rate_per_second"])

    def move_deliveries(self, row: Any) -> None:
        """Hold or release the deliveries of ``row``, as its `hold_field` now says."""
        raise NotImplementedError

    def set_held(self, row: Any, *, held: bool, rate_per_second: float | None = None) -> None:
        """Pause or resume ``row``."""
        raise NotImplementedError

    def _hold(self, *, held: bool, rate_per_second: float | None = None) -> Response:
        row = self.get_object()
        self.set_held(row, held=held, rate_per_second=rate_per_second)
        return Response(self.get_serializer(self.get_object()).data)


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except IntegrityError as exc:  # validation has passed, so the database has changed since
        raise Conflict("Somebody else has just saved the same; look again.") from exc
