"""``manage.py database_roles``: the rights of web and workers in PostgreSQL."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connection

from deliveries import database_roles, self_check
from deliveries.database_roles import Roles
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Print, or apply, the least rights that web and workers need. Can be run twice, and while the hub runs."""

    help = (
        "Prints the rights that web and workers need in PostgreSQL, as SQL; with --apply gives them, "
        "and makes the endpoint of the self-check, which workers then may not."
    )
    examples = (
        ("once, by the administrator of the server", "database_roles --create | psql"),
        ("after each `migrate`, as the owner of the tables", "database_roles --apply"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what is to be done, and the names."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--create", action="store_true", help="print how the roles are made, without passwords")
        what.add_argument("--apply", action="store_true", help="give the rights, as who is connected")
        parser.add_argument("--web", metavar="NAME", default=Roles.web, help=f"the web's role ({Roles.web})")
        parser.add_argument("--worker", metavar="NAME", default=Roles.worker, help=f"the workers' ({Roles.worker})")

    def handle(self, *args: Any, create: bool, apply: bool, web: str, worker: str, **options: Any) -> None:
        """Print the statements, or run them and say how many there were."""
        if connection.vendor != "postgresql":
            raise CommandError("only PostgreSQL has roles; SQLite's file belongs to who runs the hub")
        try:
            roles = Roles(web, worker)
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
        if apply:
            count = database_roles.apply(roles)
            if settings.HUB_SELF_CHECK_SECONDS:
                self_check.ensure_endpoint()  # workers, who send it, may make no endpoints
            self.stdout.write(f"gave {web} and {worker} their rights, in {count} statements")
            return
        name = str(connection.settings_dict["NAME"])
        found = database_roles.making(roles) if create else database_roles.statements(roles, database=name)
        self.stdout.write("\n".join(f"{statement};" for statement in found))
