"""Carry out a plan: one transaction, through the same validation as the API, with the same entries in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from rest_framework import serializers

from deliveries import audit
from deliveries.configuration.entries import ADDITION, CHANGE, DELETION, note
from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import texts
from deliveries.configuration.plan import Change, Plan, compare
from deliveries.configuration.reading import Document

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def rehearse(document: Document, plan: Plan) -> list[str]:
    """Do everything and take it back; return what an operator should be warned of. Raises `ConfigurationError`.

    Only so the file is judged as it will be: a route may name an endpoint that the same file makes, or retires.
    Deliveries are not moved and nothing is logged.
    """
    with transaction.atomic():
        rows = _carry_out(plan, by=None)
        left = compare(document)
        warnings = [warning for kind, row in rows if (warning := kind.warning(row))]
        transaction.set_rollback(True)
    if left.changes:
        raise ConfigurationError(
            [
                f"{change.label}: cannot be as the file says; does it name what the file retires?"
                for change in left.changes
            ]
        )
    return warnings


def apply(document: Document, expected: Plan, *, by: User) -> Plan:
    """Make the hub as ``document`` says, all or nothing; return what was done.

    Raises `ConfigurationError` if something is wrong, or has changed since ``expected`` was shown to the operator.
    """
    with transaction.atomic():
        plan = compare(document, lock=True)
        if plan.as_json() != expected.as_json():
            raise ConfigurationError(["the hub has changed since the plan was made; look at it again"])
        _carry_out(plan, by=by)
    return plan


def _carry_out(plan: Plan, *, by: User | None) -> list[tuple[Any, Any]]:
    rows, problems = [], []
    for change in plan.changes:
        try:
            with transaction.atomic():
                rows.append((change.kind, _carry_out_one(change, by=by)))
        except serializers.ValidationError as exc:
            problems += [f"{change.label}: {text}" for text in texts(exc)]
        except ConfigurationError as exc:
            problems += [f"{change.label}: {text}" for text in exc.problems]
        except IntegrityError:
            problems.append(f"{change.label}: somebody else has just saved the same; look again")
    if problems:
        raise ConfigurationError(problems)
    return [(kind, row) for kind, row in rows if row is not None]


def _carry_out_one(change: Change, *, by: User | None) -> Any:
    """Return the row that was made or changed; None if it was retired."""
    kind, row = change.kind, change.row
    if change.action == "delete":
        note(row, DELETION, "retired.", by=by)
        kind.retire(row)
        return None
    if change.action == "create":
        row = _make(change, by=by)
    else:
        kind.end_parts(change.item, row, by=by)
        _change(change, by=by)
    kind.make_parts(change.item, row, by=by)
    return row


def _make(change: Change, *, by: User | None) -> Any:
    identity = dict(zip(change.kind.identity, change.key, strict=True))
    serializer = change.kind.serializer(data={**change.values, **identity})
    serializer.is_valid(raise_exception=True)
    row = serializer.save()
    note(row, ADDITION, "made.", by=by)
    return row


def _change(change: Change, *, by: User | None) -> None:
    if not change.values:
        return
    row, before = change.row, audit.snapshot(change.row)
    for values in change.kind.patches(row, dict(change.values)):
        serializer = change.kind.serializer(row, data=values, partial=True)
        serializer.is_valid(raise_exception=True)
        row = serializer.save()
    note(row, CHANGE, f"changed {', '.join(sorted(change.values))}.", by=by, before=before)
    if by is not None and change.kind.hold_field in change.values:
        change.kind.move_deliveries(row, by=by)
