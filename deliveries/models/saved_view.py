"""A list as somebody has filtered it, under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.identifiers import uuid7

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: Characters of a view's filters, as they stand in an address.
LONGEST_FILTERS = 2000


class ListName(models.TextChoices):
    """The lists that have views, by the model's name."""

    EVENT = "event", gettext_lazy("Events")
    DELIVERY = "delivery", gettext_lazy("Deliveries")
    REJECTION = "rejection", gettext_lazy("Rejections")


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Views by whose they are."""

    def offered_to(self, user: User | AnonymousUser) -> SavedViewQuerySet:
        """Return the user's own ones, and those that are shared; `deliveries.saved_views` narrows the latter down."""
        return self.filter(Q(owner=user.pk) | Q(is_shared=True))


class SavedView(models.Model):
    """The filters of a list under a name. A span of time is kept as its name, so that it goes with the clock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    list = models.CharField(max_length=10, choices=ListName)
    name = models.CharField(max_length=60)
    filters = models.CharField(max_length=LONGEST_FILTERS)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # who sees a list may keep views of it
        constraints = [
            models.UniqueConstraint(fields=["owner", "list", "name"], name="saved_view_once_per_name"),
            models.CheckConstraint(condition=Q(list__in=ListName.values), name="saved_view_list_known"),
        ]

    def __str__(self) -> str:
        return self.name
