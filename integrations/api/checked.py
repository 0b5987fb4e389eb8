"""The rule that every serializer of a model keeps: know every field, check the whole row."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from rest_framework import serializers

from integrations.encryption import EncryptedJSONField

M = TypeVar("M", bound=models.Model)


#: So many fields of a body are looked at for ones that do not exist; no model has as many.
_MOST_NAMED = 50


class FiniteFloatField(serializers.FloatField):
    """A number; the texts "nan" and "inf", which Python takes for numbers, are none."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number."""
        number = super().to_internal_value(data)
        if isinstance(data, bool) or not math.isfinite(number):
            self.fail("invalid")
        return number


class StrictFields:
    """A mixin for serializers: unknown and read-only fields are errors, not silently dropped."""

    #: Fields that are only set when the row is made, and what to tell who tries later.
    fixed_fields: ClassVar[Mapping[str, str]] = {}

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values; raises `ValidationError`, which names every refused field."""
        refused = self._refused(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as exc:
            if refused and isinstance(exc.detail, dict):
                raise serializers.ValidationError({**exc.detail, **refused}) from exc
            raise
        if refused:
            raise serializers.ValidationError(refused)
        return values

    def _refused(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        fields: Mapping[str, Any] = self.fields  # type: ignore[attr-defined]
        refused = {}
        for name in list(data)[:_MOST_NAMED]:
            if name not in fields:
                refused[name[:100]] = ["There is no such field."]
            elif fields[name].read_only:
                refused[name] = ["This field cannot be written."]
            elif name in self.fixed_fields and self.instance is not None:  # type: ignore[attr-defined]
                refused[name] = [self.fixed_fields[name]]
        return refused


class OrderSerializer(StrictFields, serializers.Serializer[Any]):
    """The body of an order: what is not a row."""


class CheckedSerializer(StrictFields, serializers.ModelSerializer[M]):
    """A row: the model's own validation, constraints included, runs before it is saved."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.FloatField: FiniteFloatField,
        EncryptedJSONField: serializers.JSONField,
    }
    #: Fields of the serializer that are no columns of the row.
    nested_fields: ClassVar[tuple[str, ...]] = ()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the row as it would be."""
        candidate = self.candidate(attrs)
        try:
            candidate.full_clean()
            self.check(candidate, attrs)
        except DjangoValidationError as exc:
            raise serializers.ValidationError(messages(exc)) from exc
        return attrs

    def candidate(self, attrs: Mapping[str, Any]) -> M:
        """Return an unsaved row that holds ``attrs``, on top of the present values if there is one."""
        model = cast(type[M], self.Meta.model)
        row = copy.copy(self.instance) if isinstance(self.instance, model) else model()
        for name, value in attrs.items():
            if name not in self.nested_fields:
                setattr(row, name, value)
        return row

    def check(self, candidate: M, attrs: Mapping[str, Any]) -> None:
        """Raise Django's `ValidationError` for what the row alone cannot know; by default nothing."""

    def update(self, instance: M, validated_data: Mapping[str, Any]) -> M:
        """Save the given columns and no others, so that two changes at once do not undo each other."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        touched = [field.name for field in instance._meta.fields if getattr(field, "auto_now", False)]
        instance.save(update_fields=[*validated_data, *touched])
        return instance


def messages(exc: DjangoValidationError) -> Any:
    """Return the texts of a model's validation as DRF has them: by field, or a list."""
    return exc.message_dict if hasattr(exc, "error_dict") else exc.messages
