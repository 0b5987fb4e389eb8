"""The page of the commands' own help."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import get_commands, load_command_class

#: Columns of a help text: what fits a page without a bar to scroll with.
_WIDTH = "100"
#: What every command of Django takes and nobody looks up here.
_EVERYWHERE = frozenset(
    {"--version", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color", "--skip-checks"}
)
_INTRODUCTION = """# Options of the commands

What `python manage.py COMMAND --help` says; `manage.py describe_reference` writes this page. What each command is for:
[commands](commands.md).
"""


def commands_page() -> str:
    """Return the page: the help of each command of the hub, in the order of their names."""
    own = sorted((name, app) for name, app in get_commands().items() if app in {"deliveries", "integrations"})
    with _columns(_WIDTH):
        parts = [_section(app, name) for name, app in own]
    return "\n".join([_INTRODUCTION, *parts])


def _section(app: str, name: str) -> str:
    parser = load_command_class(app, name).create_parser("manage.py", name)
    _hide_what_all_take(parser)
    return f"## `{name}`\n\n```text\n{parser.format_help().strip()}\n```\n"


def _hide_what_all_take(parser: argparse.ArgumentParser) -> None:
    """Leave out of the help of ``parser`` what Django adds to every command."""
    for action in parser._actions:
        if _EVERYWHERE & set(action.option_strings) or "--verbosity" in action.option_strings:
            action.help = argparse.SUPPRESS


@contextmanager
def _columns(width: str) -> Iterator[None]:
    """Have argparse, which asks the terminal for its width, take ``width``."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = width
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
