"""The shell that the journeys look into a hub's database with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.shell import Shell

pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    with closing(Shell({**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"})) as shell:
        yield shell


class TestAPieceOfCode:
    def test_has_the_models_and_tells_what_it_prints(self, shell: Shell) -> None:
        done = shell.run("from deliveries.models import Event; print(Event.__name__)")

        assert (done.returncode, done.stdout) == (0, "Event\n")

    def test_is_run_on_the_code_of_a_release_that_has_no_such_shell(self, tmp_path: Path) -> None:
        (tmp_path / "older.py").write_text("SECRET_KEY = 'x'\n")
        with closing(Shell({**os.environ, "DJANGO_SETTINGS_MODULE": "older"}, root=tmp_path)) as shell:
            done = shell.run(
                "from django.conf import settings; import older; print(settings.SECRET_KEY, older.__file__)"
            )
        assert done.stdout == f"x {tmp_path / 'older.py'}\n"

    def test_fails_with_the_traceback(self, shell: Shell) -> None:
        done = shell.run("print('before')\n1 / 0")

        assert (done.returncode, done.stdout) == (1, "before\n")
        assert "ZeroDivisionError" in done.stderr

    def test_leaves_nothing_to_the_next(self, shell: Shell) -> None:
        shell.run("import os, hub; hub.left = 1; os.environ['LEFT'] = '1'")

        assert shell.run("import os, hub; print(hasattr(hub, 'left'), 'LEFT' in os.environ)").stdout == "False False\n"

    def test_does_what_is_due_at_its_exit(self, shell: Shell) -> None:
        assert shell.run("import atexit; atexit.register(print, 'at the exit')").stdout == "at the exit\n"

    def test_may_kill_itself(self, shell: Shell) -> None:
        assert shell.run("import os; os.kill(os.getpid(), 9)").returncode == -9
        assert shell.run("print(1)").stdout == "1\n"
