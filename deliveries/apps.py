"""The app that keeps what happened: events, deliveries, attempts."""

from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import pre_migrate


class DeliveriesConfig(AppConfig):
    """Receiving, execution, replay, and the operator's surfaces."""

    name = "deliveries"
    verbose_name = "History"

    def ready(self) -> None:
        """Keep a new SQLite database private from its first table on, and logins on record; look after connections."""
        from deliveries import database_health, logins  # their models are there only now
        from deliveries.signing_in import second_factor, sessions, single_sign_on

        pre_migrate.connect(_keep_private, sender=self)
        database_health.watch()
        logins.watch()
        second_factor.watch()
        sessions.watch()
        single_sign_on.watch()
        _report_errors()


def _report_errors() -> None:
    if settings.SENTRY_DSN:
        from deliveries import error_reports
        from deliveries.sentry import SentryCollector

        collector = SentryCollector(
            settings.SENTRY_DSN, release=settings.HUB_VERSION, environment=settings.SENTRY_ENVIRONMENT
        )
        error_reports.install(collector)
        collector.attach()


def _keep_private(using: str, **_: Any) -> None:
    # SQLite makes its file readable by everyone on the machine, and its journals after it. What an operator has set
    # on a database that is in use stays.
    connection = connections[using]
    if connection.vendor == "sqlite" and not connection.introspection.table_names():
        path = Path(str(connection.settings_dict["NAME"]))
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.is_file():
                file.chmod(0o600)
