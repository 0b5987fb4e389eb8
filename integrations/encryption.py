"""Encryption at rest: `MultiFernet` over ``HUB_ENCRYPTION_KEYS``, and a model field that uses it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in keys])


def encrypt(plain: bytes) -> bytes:
    """Return ``plain`` as a Fernet token under the first key."""
    return _fernet(tuple(settings.HUB_ENCRYPTION_KEYS)).encrypt(plain)


def decrypt(token: bytes) -> bytes:
    """Return what `encrypt` was given; raises `ImproperlyConfigured` if no live key fits."""
    try:
        return _fernet(tuple(settings.HUB_ENCRYPTION_KEYS)).decrypt(token)
    except InvalidToken:
        # Not chained: nothing of the token may reach a log.
        raise ImproperlyConfigured(
            "HUB_ENCRYPTION_KEYS holds no key that decrypts a stored value; was a key removed?"
        ) from None


def rotate(token: bytes) -> bytes:
    """Return ``token`` encrypted anew under the first key."""
    return encrypt(decrypt(token))


def is_current(token: bytes) -> bool:
    """Return whether ``token`` is under the first key already."""
    try:
        Fernet(settings.HUB_ENCRYPTION_KEYS[0].encode()).decrypt(token)
    except InvalidToken:
        return False
    return True


class _Token(str):
    """A stored token that nobody has asked for yet."""


class _OpenedWhenRead(DeferredAttribute):
    """Decrypts at the first look: rows that are only listed cost nothing, and do not fail over a lost key."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        """Return the value; raises `ImproperlyConfigured` if no key decrypts it."""
        value = super().__get__(instance, cls)
        if isinstance(value, _Token):
            field = cast(EncryptedTextField, self.field)
            value = field.opened(decrypt(value.encode("ascii", "replace")).decode())
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        """Keep the value. Without this method Python would find the token before it asks `__get__`."""
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that is encrypted in the database and plain as a model's attribute. Cannot be searched; "" is stored as "".

    It is decrypted when the attribute is read; `values` and `values_list` give the token.
    """

    descriptor_class = _OpenedWhenRead

    def get_prep_value(self, value: Any) -> Any:
        """Return the token that is stored for ``value``."""
        if isinstance(value, _Token):
            return str(value)
        text = super().get_prep_value(value)
        return encrypt(text.encode()).decode("ascii") if text else text

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the token, which the attribute opens."""
        return _Token(value) if value else value

    def opened(self, text: str) -> Any:
        """Return the value that ``text`` was stored for."""
        return text

    def get_lookup(self, lookup_name: str) -> Any:
        """Know ``isnull`` only: every encryption differs, so a comparison would silently find nothing."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


class EncryptedJSONField(EncryptedTextField):
    """A JSON value that is encrypted in the database and plain as a model's attribute; cannot be searched."""

    if TYPE_CHECKING:  # what django-stubs reads the attribute's types from
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> Any:
        """Return the token that is stored for ``value``."""
        return super().get_prep_value(value if value is None or isinstance(value, _Token) else json.dumps(value))

    def opened(self, text: str) -> Any:
        """Return the JSON value that ``text`` was stored for."""
        return json.loads(text)

    def to_python(self, value: Any) -> Any:
        """Return the JSON value itself."""
        return value

    def value_to_string(self, obj: models.Model) -> Any:
        """Return the JSON value for a serializer."""
        return self.value_from_object(obj)
