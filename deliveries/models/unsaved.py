"""Rows that are not saved yet, made without Django's asking each field of its model what it thinks of its value."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from django.db import models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)


def unsaved(model: type[M], **values: Any) -> M:
    """Return a new row with ``values``, which are named as the columns are (``endpoint_id``), and the model's defaults.

    Nobody is told: Django's signals of a row's making are not sent.
    """
    constants, made = _defaults(model)
    row = model.__new__(model)
    row._state = ModelState()
    row.__dict__.update(constants)
    row.__dict__.update(values)
    for name, make in made:
        if name not in values:
            row.__dict__[name] = make()
    return row


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """Return what every new row of ``model`` has, in the order of its columns, and what is made for each."""
    fields: list[Any] = list(model._meta.concrete_fields)
    made = [(field.attname, field.default) for field in fields if field.has_default() and callable(field.default)]
    names = {name for name, _ in made}
    return {field.attname: None if field.attname in names else field.get_default() for field in fields}, made
