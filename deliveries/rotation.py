"""Everything that is encrypted, encrypted anew under the first key, while the hub runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Cast

from deliveries.long_work import Report, unheard
from deliveries.models.sealing import SealedRequest
from integrations.encryption import EncryptedTextField, is_current, rotate

#: Rows that are written in one transaction; bodies are large.
_TEXTS_AT_ONCE = 200
_BODIES_AT_ONCE = 20


@dataclass
class Rotation:
    """What was done: ``rotated`` values, ``current`` ones that needed nothing, and where a value is lost."""

    rotated: int = 0
    current: int = 0
    lost: list[str] = field(default_factory=list)


def rotate_everything(report: Report = unheard) -> Rotation:
    """Encrypt every encrypted column of every model anew; each value at most once, whole or not at all.

    A value that somebody changes meanwhile is left as they wrote it: under the first key. Can be stopped and run
    again. What no key decrypts is named as ``table.column id`` and left as it is. ``report`` is told how many values of
    how many are done.
    """
    rotation, found = Rotation(), columns()
    total = sum(column.count() for column in found)
    for column in found:
        for _ in column.rotate(rotation):
            report(rotation.rotated + rotation.current + len(rotation.lost), total)
    return rotation


@dataclass(frozen=True)
class Column:
    """One column with tokens: a text, or the body of a stored request."""

    model: type[models.Model]
    name: str
    is_body: bool

    @property
    def label(self) -> str:
        """The table and the column."""
        return f"{self.model._meta.db_table}.{self.name}"

    def count(self) -> int:
        """Return how many tokens there are."""
        return self._rows().count()

    def rotate(self, rotation: Rotation) -> Iterator[None]:
        """Go through the rows in batches, in the order of their ids; yield after each batch."""
        last: Any = None
        while batch := self._batch(last):
            last = batch[-1][0]
            changes = list(self._changes(batch, rotation))
            if changes:
                with transaction.atomic():
                    rotation.rotated += sum(map(self._write, *zip(*changes, strict=True)))
            yield

    def newest(self, count: int) -> list[tuple[Any, bytes]]:
        """Return (id, token) of the rows with the highest ids, at most ``count``."""
        found = self._rows().order_by("-pk").values_list("pk", "fernet_token")[:count]
        return [(pk, _as_bytes(token)) for pk, token in found]

    def _rows(self) -> models.QuerySet[Any]:
        rows = self.model._base_manager.all()
        found: models.QuerySet[Any]
        if self.is_body:
            found = rows.filter(body_is_encrypted=True).annotate(fernet_token=F(self.name))
        else:  # as it is stored: the field itself would decrypt it
            found = rows.annotate(fernet_token=Cast(self.name, models.TextField()))
            found = found.exclude(fernet_token="").exclude(fernet_token=None)
        return found

    def _batch(self, last: Any) -> list[tuple[Any, bytes]]:
        rows = self._rows() if last is None else self._rows().filter(pk__gt=last)
        most = _BODIES_AT_ONCE if self.is_body else _TEXTS_AT_ONCE
        found = rows.order_by("pk").values_list("pk", "fernet_token")[:most]
        return [(pk, _as_bytes(token)) for pk, token in found]

    def _changes(self, batch: list[tuple[Any, bytes]], rotation: Rotation) -> Iterator[tuple[Any, bytes, bytes]]:
        for pk, token in batch:
            if is_current(token):
                rotation.current += 1
                continue
            try:
                yield pk, token, rotate(token)
            except ImproperlyConfigured:
                rotation.lost.append(f"{self.label} {pk}")

    def _write(self, pk: Any, old: bytes, new: bytes) -> int:
        as_stored: Callable[[bytes], Any] = bytes if self.is_body else lambda token: token.decode("ascii")
        output = models.BinaryField() if self.is_body else models.TextField()
        unchanged = self._rows().filter(pk=pk, fernet_token=as_stored(old))
        return unchanged.update(**{self.name: Value(as_stored(new), output_field=output)})


@dataclass(frozen=True)
class SecondFactors:
    """The secrets of second factors, which stand as texts within a JSON column of django-allauth's."""

    label: str = "mfa_authenticator.data"
    _names: tuple[str, ...] = ("secret", "seed")

    def count(self) -> int:
        """Return how many tokens there are."""
        return int(Authenticator.objects.count())

    def rotate(self, rotation: Rotation) -> Iterator[None]:
        """Go through the rows, each in a transaction of its own: a used recovery code is noted in the same column."""
        for pk in Authenticator.objects.order_by("pk").values_list("pk", flat=True):
            with transaction.atomic():
                row = Authenticator.objects.select_for_update().filter(pk=pk).first()
                if row is not None:
                    self._rotate_row(row, rotation)
            yield

    def newest(self, count: int) -> list[tuple[Any, bytes]]:
        """Return (id, token) of the newest rows, at most ``count``."""
        rows = Authenticator.objects.order_by("-pk")[:count]
        return [(row.pk, token.encode("ascii", "replace")) for row in rows for token in self._tokens(row).values()]

    def _tokens(self, row: Authenticator) -> dict[str, str]:
        return {name: row.data[name] for name in self._names if row.data.get(name)}

    def _rotate_row(self, row: Authenticator, rotation: Rotation) -> None:
        for name, token in self._tokens(row).items():
            old = token.encode("ascii", "replace")
            if is_current(old):
                rotation.current += 1
                continue
            try:
                row.data[name] = rotate(old).decode("ascii")
            except ImproperlyConfigured:
                rotation.lost.append(f"{self.label} {row.pk}")
                continue
            row.save(update_fields=["data"])
            rotation.rotated += 1


def _as_bytes(token: Any) -> bytes:
    return token.encode("ascii", "replace") if isinstance(token, str) else bytes(token)


def columns() -> list[Column | SecondFactors]:
    """Return every column that holds tokens, whichever app it is of."""
    found: list[Column | SecondFactors] = []
    for model in apps.get_models():
        if model._meta.proxy or not model._meta.managed:
            continue
        if model is Authenticator:
            found.append(SecondFactors())
        texts = [each.name for each in model._meta.concrete_fields if isinstance(each, EncryptedTextField)]
        found.extend(Column(model, name, is_body=False) for name in texts)
        if issubclass(model, SealedRequest):
            found.append(Column(model, "raw_body", is_body=True))
    return found
