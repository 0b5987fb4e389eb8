"""The app that keeps what happened: events, deliveries, attempts."""

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    """Receiving, execution, replay, and the operator's surfaces."""

    name = "deliveries"
    verbose_name = "History"
