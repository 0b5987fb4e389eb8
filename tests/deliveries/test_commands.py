"""What all commands of the hub have in common."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import OperationalError

from deliveries import tokens
from deliveries.management.command import HubCommand
from deliveries.management.commands import prune
from tests.factories import make_endpoint
from tests.running_hub import ROOT, running_hub

COMMANDS = {name: load_command_class("deliveries", name) for name, app in get_commands().items() if app == "deliveries"}
TEACHING = {name: command for name, command in COMMANDS.items() if isinstance(command, HubCommand)}


def help_of(name: str) -> str:
    return TEACHING[name].create_parser("manage.py", name).format_help()


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[int]:
    """Put a terminal in the place of ``sys.<name>``; yield where it can be read."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        yield ours
    os.close(ours)


@pytest.mark.parametrize("name", sorted(TEACHING))
class TestTheHelpOfACommand:
    def test_has_examples_that_the_command_itself_understands(self, name: str) -> None:
        parser = TEACHING[name].create_parser("manage.py", name)
        lines = re.findall(r"^  python manage\.py (.+)$", help_of(name), re.MULTILINE)

        assert lines
        for line in lines:
            command, *arguments = shlex.split(re.split(r" [|<>]", line)[0])
            assert command in get_commands()
            TEACHING[command].create_parser("manage.py", command).parse_args(arguments)
        assert parser.description

    def test_keeps_the_examples_in_lines_of_their_own(self, name: str) -> None:
        shown = help_of(name)

        for purpose, line in TEACHING[name].examples:
            assert f"  # {purpose}\n  python manage.py {line}\n" in f"{shown}\n"


class TestEveryCommandOfTheContract:
    def test_teaches(self) -> None:
        named = {"hub", "send", "apply", "export", "prune", "doctor", "create_token", "rotate_encryption_key"}

        assert named | {"tail", "listen"} <= set(TEACHING)

    def test_is_as_the_others_are(self) -> None:
        own = {name for name, app in get_commands().items() if app in {"deliveries", "integrations"}}

        assert set(TEACHING) == own
        assert [name for name in own if "exit codes: 0 " not in " ".join(help_of(name).split())] == []
        assert [name for name, command in TEACHING.items() if not command.help or not command.examples] == []


@pytest.mark.django_db
class TestACommand:
    def test_answers_a_script_in_json(self) -> None:
        User.objects.create_user("ada")
        for name, *options in (
            ["prune"],
            ["rotate_encryption_key"],
            ["prune", "--dry-run"],
            ["create_token", "ada", "--scope", "read", "--expires", "1d"],
        ):
            out = io.StringIO()
            call_command(name, *options, "--json", stdout=out)
            answer = json.loads(out.getvalue())
            assert isinstance(answer, dict)
        assert tokens.find(answer["token"]).scopes == {"read"}

    def test_draws_a_bar_on_a_terminal_and_nowhere_else(self, monkeypatch, capfd) -> None:
        make_endpoint(settings={"event_id": "header:X-Id"}, secret="a")
        with terminal(monkeypatch, "stderr") as shown:
            call_command("rotate_encryption_key", stdout=io.StringIO())
            drawn = os.read(shown, 4096).decode() if select.select([shown], [], [], 5)[0] else ""
        call_command("rotate_encryption_key", stdout=io.StringIO())

        assert "encrypting" in drawn
        assert capfd.readouterr().err == ""

    def test_says_in_one_line_that_the_database_is_away(self, monkeypatch) -> None:
        def away(**_: object) -> int:
            raise OperationalError("postgres://user:password@db")

        monkeypatch.setattr(prune, "prune_rejections", away)

        with pytest.raises(CommandError) as caught:
            call_command("prune")
        assert str(caught.value) == "the database does not answer as it should; `manage.py doctor` says why"


@pytest.mark.journey
@pytest.mark.any_database
class TestTail:
    def test_goes_on_until_ctrl_c(self, tmp_path: Path) -> None:
        with running_hub(tmp_path) as hub:
            hub.python("from tests.factories import make_endpoint; make_endpoint(slug='orders')")
            process = subprocess.Popen(
                [sys.executable, "manage.py", "tail", "--interval", "0.1", "--since", "1h"],
                cwd=ROOT,
                env=hub.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                for event_id in ("first", "second"):
                    hub.python(
                        "from integrations.models import Endpoint\n"
                        "from tests.factories import make_event\n"
                        f"make_event(Endpoint.objects.get(), event_id={event_id!r}, dedupe_key={event_id!r})"
                    )
                    assert process.stdout.readline().endswith(f"received   orders / test  verified {event_id}\n")
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=20)
            finally:
                process.kill()

        assert (process.returncode, err.strip()) == (0, "")
