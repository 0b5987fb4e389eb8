"""What the hub's commands have in common: help that teaches, answers for programs, progress on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.utils import translation
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deliveries.long_work import Report, unheard

_EXAMPLES = "examples:"


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(_EXAMPLES) else super()._fill_text(text, width, indent)


class HubCommand(BaseCommand):
    """A command with ``examples`` at the end of its ``--help``."""

    #: (what it is for, the command line after ``manage.py``) of each example.
    examples: ClassVar[tuple[tuple[str, str], ...]] = ()
    #: What the exit codes mean.
    exit_codes: ClassVar[str] = "0 done; 1 failed, for the reason in the last line"
    #: Programs read what commands print, whatever LANGUAGE_CODE says.
    is_english: ClassVar[bool] = True

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, with the examples."""
        lines = [_EXAMPLES] if self.examples else []
        for purpose, line in self.examples:
            lines += [f"  # {purpose}", f"  python manage.py {line}", ""]
        lines.append(f"exit codes: {self.exit_codes}")
        kwargs |= {"formatter_class": _Formatter, "epilog": "\n".join(lines)}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run; a database that is away, or has not been migrated, is one line instead of a traceback."""
        try:
            with translation.override(None) if self.is_english else nullcontext():
                return super().execute(*args, **options)
        except (OperationalError, ProgrammingError, InterfaceError) as exc:
            if options.get("traceback"):
                raise
            # Not the error's own text: it can hold the address with its password.
            raise CommandError("the database does not answer as it should; `manage.py doctor` says why") from exc

    def write_json(self, value: Any) -> None:
        """Print ``value`` as one line of JSON."""
        self.stdout.write(json.dumps(value, ensure_ascii=False, default=str))

    @contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """Yield what long work reports to: a bar while errors go to a terminal, and nobody otherwise."""
        if not sys.stderr.isatty():
            yield unheard
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def add_user_option(parser: CommandParser) -> None:
    """Take ``--user``: in whose name the log says it."""
    parser.add_argument(
        "--user", metavar="NAME", help="the user in whose name the log notes it; else the first administrator"
    )


def acting_user(name: str | None) -> User:
    """Return the active user ``name``, or the longest-standing active superuser; raises `CommandError`.

    Who can run commands can do anything to the hub: this is for the record, no permission is asked.
    """
    users = get_user_model()._default_manager.filter(is_active=True)
    found = (
        users.filter(is_superuser=True).order_by("pk").first()
        if name is None
        else users.filter(username=name.replace("\x00", "")).first()
    )
    if found is not None:
        return found
    if name is None:
        raise CommandError("there is no administrator for the log to name; make one (createsuperuser), or give --user")
    raise CommandError(f"there is no active user {name!r}")
