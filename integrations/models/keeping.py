"""How long an endpoint keeps what it received, where that is not what the settings say."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext, gettext_lazy

#: A hundred years: whoever means longer means for ever, which is 0.
MOST_DAYS = 36_500


def _days(what: str, setting: str) -> models.PositiveIntegerField[Any, Any]:
    return models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_DAYS)],
        help_text=gettext("Days that %(what)s are kept; empty means %(setting)s, 0 for ever.")
        % {"what": what, "setting": setting},
    )


class Keeping(models.Model):
    """An endpoint's own ages in days, and its legal hold. None stands for the setting, 0 for no end."""

    keep_body_days = _days("raw bodies", "HUB_BODY_DAYS")
    keep_headers_days = _days("headers and query strings", "HUB_HEADERS_DAYS")
    keep_attempts_days = _days("logs, tracebacks and answers of attempts", "HUB_ATTEMPT_DAYS")
    keep_dead_letters_days = _days("dead letters, with all that belongs to them,", "HUB_DEAD_LETTER_DAYS")
    keep_events_days = _days("events and deliveries themselves", "HUB_EVENT_DAYS")
    keep_rejections_days = _days("refused requests", "HUB_REJECTION_DAYS")
    legal_hold = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=gettext_lazy("Why nothing of the endpoint may be removed by age or erased; empty: it may."),
    )
    keys_kept_since = models.DateTimeField(
        null=True,
        editable=False,
        help_text=gettext_lazy("Since when receiving looks among the keys of removed events, too."),
    )

    class Meta:
        abstract = True
