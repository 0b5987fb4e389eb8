"""Two who save the same in the same moment: validation lets both pass, and a constraint of the database only one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

T = TypeVar("T")


def validated_again(answer: Callable[..., T], request: Any, *args: Any, **kwargs: Any) -> T:
    """Return what ``answer`` returns for a request; if a constraint refuses what it saves, what it returns once more.

    Nothing of the first time is left then, and its validation finds what somebody else has saved meanwhile: it says so
    in its own words. What it does not find is raised, as Django's `IntegrityError`.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return answer(request, *args, **kwargs)
    try:
        with transaction.atomic():
            return answer(request, *args, **kwargs)
    except IntegrityError:
        return answer(request, *args, **kwargs)
