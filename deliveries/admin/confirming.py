"""The question before an order that nothing takes back: what it does, to what, and a button that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import Promise

from deliveries.admin.frame import frame
from integrations.admin.base import HubAdmin


@dataclass(frozen=True)
class Question:
    """What the page says: a title, the question, what comes of a yes, and the text of the button that says yes."""

    title: str | Promise
    text: str
    consequences: tuple[str, ...]
    yes: str


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the order came from the page that `ask` shows."""
    return request.POST.get("confirmed") == "yes"


def ask(
    admin: HubAdmin,
    request: HttpRequest,
    question: Question,
    *,
    back: str,
    row: Model | None = None,
    hidden: Iterable[tuple[str, str]] = (),
) -> TemplateResponse:
    """Return the page, which posts ``hidden`` and the yes to the address that was asked; ``back`` is the no."""
    context = {**frame(admin, request, question.title, row=row), "question": question, "back": back, "hidden": hidden}
    return TemplateResponse(request, "admin/deliveries/confirm.html", context)
