"""Rows that are not saved yet, made without Django's asking each field of its model what it thinks of its value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import models
from django.db.models.base import ModelState

Names = Sequence[tuple[str, str]]
M = TypeVar("M", bound=models.Model)


def unsaved(model: type[M], **values: Any) -> M:
    """Return a new row with ``values`` and the model's defaults.

    A row that it refers to is given itself (``event``), or by its key (``event_id``). Nobody is told: Django's signals
    of a row's making are not sent.
    """
    constants, made, references = _defaults(model)
    row = model.__new__(model)
    row._state = ModelState()
    row.__dict__.update(constants)
    row.__dict__.update(values)
    for name, attname in references:
        if name in values:
            row._state.fields_cache[name] = row.__dict__.pop(name)
            row.__dict__[attname] = values[name].pk
    for name, make in made:
        if name not in values:
            row.__dict__[name] = make()
    return row


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]], Names]:
    """Return what every new row of ``model`` has, in the order of its columns, what is made for each, and references.

    A reference has two names: that of the row, and that of its key.
    """
    fields: list[Any] = list(model._meta.concrete_fields)
    made = [(field.attname, field.default) for field in fields if field.has_default() and callable(field.default)]
    names = {name for name, _ in made}
    constants = {field.attname: None if field.attname in names else field.get_default() for field in fields}
    return constants, made, [(field.name, field.attname) for field in fields if field.is_relation]
