"""Groups of endpoints, and who is restricted to which of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.identifiers import uuid7

if TYPE_CHECKING:
    from typing import Self

    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser

M = TypeVar("M", bound=models.Model, covariant=True)

_CACHE = "_restricted_to_groups"


def groups_of(user: Person) -> frozenset[UUID] | None:
    """Return the ids of the groups that ``user`` is restricted to; None for who is not restricted and sees all.

    Asked once for each user object, as Django does with permissions. Nobody, and who is switched off, is restricted to
    nothing; a superuser to none.
    """
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return None
    if not hasattr(user, _CACHE):
        own = Restriction.objects.filter(Q(user=user.pk) | Q(role__user=user.pk))
        found = list(own.values_list("pk", "groups").distinct())
        setattr(user, _CACHE, frozenset(group for _, group in found if group) if found else None)
    groups: frozenset[UUID] | None = getattr(user, _CACHE)
    return groups


class OfEndpointsQuerySet(models.QuerySet[M]):
    """Rows that belong to an endpoint; ``group_path`` leads from them to its group."""

    group_path: ClassVar[str] = "endpoint__group"

    def visible_to(self, user: Person) -> Self:
        """Return those that ``user`` may see and act on: all, or those of the groups that they are restricted to."""
        groups = groups_of(user)
        return self if groups is None else self.filter(**{f"{self.group_path}__in": groups})


class EndpointGroupQuerySet(models.QuerySet["EndpointGroup"]):
    """Groups by who may see them."""

    def visible_to(self, user: Person) -> EndpointGroupQuerySet:
        """Return all, or those that ``user`` is restricted to."""
        groups = groups_of(user)
        return self if groups is None else self.filter(pk__in=groups)


class EndpointGroup(models.Model):
    """Endpoints that belong together; an endpoint is in one group or in none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"\A[-a-zA-Z0-9_]+\Z", gettext_lazy("Letters, digits, - and _ only."))],
        help_text=gettext_lazy("Letters, digits, - and _; it is the group's address in the API."),
        error_messages={"unique": gettext_lazy("A group with this name exists already.")},
    )
    description = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = EndpointGroupQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def is_in_use(self) -> bool:
        """Whether an endpoint in service is in it."""
        return self.endpoints.live().exists()


class Restriction(models.Model):
    """Who sees the endpoints of ``groups`` only: one user, or everybody who has one role.

    Several add up: with a restriction of their own and one through a role, a user sees the groups of both. A
    restriction without a group is one to nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="restriction"
    )
    role = models.OneToOneField(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="restriction")
    groups = models.ManyToManyField(
        EndpointGroup,
        blank=True,
        related_name="restrictions",
        help_text=gettext_lazy("None chosen: no endpoint at all."),
    )

    class Meta:
        default_permissions = ()  # it is seen and changed on the page of its user or role
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, role=None) | Q(user=None, role__isnull=False),
                name="restriction_of_user_or_role",
            ),
        ]

    def __str__(self) -> str:
        return f"restriction of {self.user or self.role}"
