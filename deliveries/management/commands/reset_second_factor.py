"""``manage.py reset_second_factor USERNAME``."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from deliveries.management.command import HubCommand, acting_user, add_user_option
from deliveries.signing_in import second_factor


class Command(HubCommand):
    """Take somebody's second factor away who has lost it, recovery codes included. Can be run twice."""

    help = "Takes the second factor of a user away; where one is required, they set up another at the next login."
    examples = (("who has lost the phone, and the recovery codes", "reset_second_factor ada --user grace"),)

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whose it is."""
        parser.add_argument("username")
        add_user_option(parser)

    def handle(self, *args: Any, username: str, user: str | None, **options: Any) -> None:
        """Take it away, and say whether there was one."""
        found = User.objects.filter(username=username.replace("\x00", "")).first()
        if found is None:
            raise CommandError(f"there is no user {username!r}")
        count = second_factor.reset(found, by=acting_user(user))
        self.stdout.write(f"{username} has no second factor {'any more' if count else '(there was none)'}")
