"""What of alerts is not for who is restricted to groups of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.utils.translation import gettext, gettext_noop

from deliveries.models import AlertRule
from integrations.models import groups_of

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

_NAME_ONE = gettext_noop("You are restricted to groups: name one of their endpoints.")


def guard_rule(user: Person, rule: AlertRule) -> None:
    """Raise `ValidationError` for a rule over all endpoints by ``user`` who is restricted to groups."""
    if rule.endpoint_id is None and groups_of(user) is not None:
        raise ValidationError({"endpoint": gettext(_NAME_ONE)})
