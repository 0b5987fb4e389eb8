"""`manage.py hub`: web server and workers together."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from deliveries import quickstart
from deliveries.management.command import HubCommand
from deliveries.receiving.samples import CannotSign, curl_line
from deliveries.supervision.orphans import end_with_parent
from deliveries.supervision.places import Places, Taken
from deliveries.supervision.supervisor import Supervisor


class Command(HubCommand):
    """Start web server and workers under one supervisor."""

    help = "Run the web server and the workers together until Ctrl-C or SIGTERM."
    examples = (
        ("on a server, under systemd or in a container", "hub"),
        ("the first time, with an administrator and a demo (what `make run` does)", "hub --quickstart"),
    )
    exit_codes = "0 stopped by Ctrl-C or SIGTERM; 1 it could not start, or its processes would not stay up"
    is_english = False  # its workers write alerts in the language of LANGUAGE_CODE
    requires_system_checks = []  # a start must not depend on warnings; `check` and `doctor` are for that

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Read the options."""
        parser.add_argument(
            "--quickstart",
            action="store_true",
            help="make the first administrator and a demo endpoint, and print how to log in and what to send",
        )

        parser.add_argument(
            "--end-with-parent",
            action="store_true",
            help="end at once when the program that started this one has ended, however that came (make run)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check what has to be there, take lock and port, and run."""
        if options["end_with_parent"]:
            end_with_parent()
        self._check_migrations()
        try:
            places = Places.take()
        except Taken as exc:
            raise CommandError(str(exc)) from exc
        lines = self._quickstart() if options["quickstart"] else []
        # The supervisor itself keeps no connection: it has to stay up while the database is away.
        connections.close_all()
        Supervisor(places, on_ready=lambda: self._print_ready(lines)).run()

    def _check_migrations(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as exc:
            # The error's own text can hold the address with its password.
            raise CommandError("the database cannot be reached; is DATABASE_URL right?") from exc
        if plan:
            names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:3])
            more = f" and {len(plan) - 3} more" if len(plan) > 3 else ""
            raise CommandError(f"unapplied migrations: {names}{more}; run `python manage.py migrate`")

    def _quickstart(self) -> list[str]:
        login = quickstart.ensure_administrator()
        if login.password:
            self.stdout.write(f"First administrator: {login.username}, password {login.password} (shown only once)")
            self.stdout.flush()
        lines = [f"  user {login.username}"]
        endpoint = quickstart.ensure_demo()
        try:
            line = curl_line(endpoint) if endpoint else ""
        except CannotSign:
            line = ""  # an operator has taken the demo's secret away
        return [*lines, "", "Send a signed event (again and again: each has a new id):", line] if line else lines

    def _print_ready(self, lines: list[str]) -> None:
        admin = f"{settings.HUB_ADMIN_URL}{reverse('admin:index')}"
        self.stdout.write("\n".join(["", f"The hub is running: {admin}", *lines]))
        self.stdout.flush()
