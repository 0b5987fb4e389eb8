"""Erase by subject: find everything that holds a value, and erase it, with a proof that it was done."""

from deliveries.erasing.orders import PERMISSION, NotErased, cancel, confirm, order
from deliveries.erasing.steps import step, work_off

__all__ = ["PERMISSION", "NotErased", "cancel", "confirm", "order", "step", "work_off"]
