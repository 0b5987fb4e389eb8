"""What configuration has in common: it is made, changed and taken away, each on record; some of it can be held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, ClassVar, cast

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from deliveries import audit
from deliveries.api.audit import ADDITION, CHANGE, DELETION, log
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.api.releases import ResumeOrder
from deliveries.api.roles import MAY_OPERATE
from deliveries.racing import validated_again
from integrations.api.etags import etag_of, is_known, require_match
from integrations.api.views import HubViewSet, M


class ConfiguredViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    HubViewSet[M],
):
    """GET, POST, PATCH and DELETE, with tags. A subclass says what becomes of a row that is deleted, in `take_away`."""

    #: One row carries an ``ETag``; the OpenAPI schema says so.
    has_tags: ClassVar[bool] = True
    _locks_rows = False

    def get_queryset(self) -> QuerySet[M]:
        """Return the rows; while one is changed, locked against other changes and not against new events of it."""
        rows = super().get_queryset()
        return rows.select_for_update(of=("self",), no_key=True) if self._locks_rows else rows

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the row with its tag, or 304 to who has it."""
        shown = self.get_serializer(self.get_object()).data
        etag = etag_of(shown)
        if is_known(request, etag):
            return Response(status=304, headers={"ETag": etag})
        return Response(shown, headers={"ETag": etag})

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a row; raises `Conflict` if the database refuses what is valid."""
        with _conflicts():
            answer = validated_again(super().create, request, *args, **kwargs)
        answer["ETag"] = etag_of(answer.data)
        return answer

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the row, if it is still what ``If-Match`` names; raises as `create` does."""
        with _conflicts():
            return validated_again(self._update, request)

    @transaction.atomic
    def _update(self, request: Request) -> Response:
        serializer = self.get_serializer(self._matching(request), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        return Response(serializer.data, headers={"ETag": etag_of(serializer.data)})

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take the row away, if it is still what ``If-Match`` names."""
        self.perform_destroy(self._matching(request))
        return Response(status=204)

    def _matching(self, request: Request) -> M:
        """Return the row, locked; raises `PreconditionFailed` if it is not what ``If-Match`` names."""
        self._locks_rows = True
        row = self.get_object()
        require_match(request, etag_of(self.get_serializer(row).data))
        return row

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """Save the new row."""
        with transaction.atomic():
            log(self.request, serializer.save(), ADDITION, "made.")

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Save what was changed."""
        before = audit.snapshot(cast(Model, serializer.instance))
        with transaction.atomic():
            row = serializer.save()
            names = ", ".join(sorted(serializer.validated_data)) or "nothing"
            log(self.request, row, CHANGE, f"changed {names}.", before=before)

    def perform_destroy(self, instance: Any) -> None:
        """Take the row away; the log keeps what it was."""
        row, before = copy(instance), audit.snapshot(instance)  # a row that is deleted has no id any more
        with transaction.atomic():
            log(self.request, row, DELETION, self.take_away(instance), before=before)

    def take_away(self, row: Any) -> str:
        """Delete or retire ``row``; return what to note of it."""
        raise NotImplementedError


class ConfigurationViewSet(ConfiguredViewSet[M]):
    """What deliveries are made by: it can also be paused and resumed, and is retired, not deleted.

    A subclass says what holding means, in `set_held`.
    """

    action_permissions: ClassVar[dict[str, str]] = {"pause": MAY_OPERATE, "resume": MAY_OPERATE}
    #: The column that says whether deliveries are held.
    hold_field: ClassVar[str]

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Save what was changed; a changed `hold_field` also moves the deliveries that wait."""
        before = getattr(serializer.instance, self.hold_field)
        with transaction.atomic():
            super().perform_update(serializer)
            row: Any = serializer.instance
            if getattr(row, self.hold_field) != before:
                self.move_deliveries(row)

    def take_away(self, row: Any) -> str:
        """Take the row out of service; what it did stays."""
        row.retire(now=timezone.now())
        return "retired."

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
