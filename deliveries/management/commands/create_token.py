"""``manage.py create_token USERNAME [--expires 90d] [--scope read ...]``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser

from deliveries import tokens
from deliveries.management.command import HubCommand
from deliveries.management.durations import parse_duration
from integrations.api.scopes import Scope

_LONGEST = timedelta(days=3650)


class Command(HubCommand):
    """Make an API token, print it once; only its hash is kept."""

    help = "Make an API token for a user; it is the last word of the output and cannot be shown again."
    examples = (
        ("for a program, for a quarter of a year", "create_token shop-sync --expires 90d"),
        ("straight into a file", "create_token shop-sync | awk '{print $NF}' > token"),
        ("for a script", "create_token shop-sync --expires 90d --scope read --json"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the user's name and the token's life."""
        parser.add_argument("username")
        parser.add_argument(
            "--expires",
            metavar="90d",
            help="how long it is good for, as 30m, 12h, 90d or 4w; without it, until revoked",
        )
        parser.add_argument(
            "--scope",
            nargs="+",
            action="extend",
            choices=list(Scope),
            type=str,
            help="what it may be used for, several if need be; without it, all that the user may do",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object, the token in it")

    def handle(self, *args: Any, username: str, expires: str | None, scope: list[str] | None, **options: Any) -> None:
        """Make the token."""
        life = None if expires is None else parse_duration(expires, option="--expires", longest=_LONGEST)
        model = get_user_model()
        try:
            user = model._default_manager.get_by_natural_key(username.replace("\x00", ""))
        except model.DoesNotExist:
            raise CommandError(f"there is no user {username!r}") from None
        if not user.is_active:
            raise CommandError(f"the user {username!r} is not active, a token would be refused")
        row, token = tokens.make(user, life=life, scopes={Scope(name) for name in scope or ()}, by=user)
        if options["json"]:
            scopes = row.terms.scopes and sorted(row.terms.scopes)
            self.write_json({"username": username, "scopes": scopes, "expires_at": row.expiry, "token": token})
            return
        end = f"until {row.expiry:%Y-%m-%d %H:%M} UTC" if row.expiry else "until it is revoked"
        use = row.terms if row.terms.scopes else "all that they may do"
        self.stdout.write(f"token of {username} for {use}, good {end}: {token}")
