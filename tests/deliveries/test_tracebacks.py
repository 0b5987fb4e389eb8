"""Where a traceback is folded."""

from __future__ import annotations

import traceback
from pathlib import Path

from django.test import SimpleTestCase

from deliveries.execution.endings import TRACEBACK_CHARACTERS, shortened
from deliveries.tracebacks import Part, parts_of

ROOT = Path(__file__).parents[2].as_posix()
VENV = "/srv/hub/.venv/lib/python3.12/site-packages"
HEAD = "Traceback (most recent call last):"


def frame(file: str, name: str = "run") -> str:
    return f'  File "{file}", line 7, in {name}\n    {name}()\n    ~~~~^^'


def is_folded(file: str, *packages: str) -> bool:
    return any(part.is_folded for part in parts_of(f"{HEAD}\n{frame(file)}\nValueError: no", packages=packages))


class FoldTests(SimpleTestCase):
    """A traceback is folded, but for the frames of handlers and its errors."""

    def test_folds_neighbouring_frames_of_libraries_together(self) -> None:
        ours, theirs = frame("/srv/site/shop/handlers.py"), [frame(f"{VENV}/httpx/_{n}.py") for n in range(3)]

        parts = parts_of("\n".join([HEAD, ours, *theirs, "httpx.ConnectError: no route\n"]))

        self.assertEqual(
            parts,
            [
                Part(HEAD),
                Part(ours, 1),
                Part("\n".join(theirs), 3, is_folded=True),
                Part("httpx.ConnectError: no route\n"),
            ],
        )

    def test_folds_what_is_installed_and_what_python_brings(self) -> None:
        for file in (
            f"{VENV}/httpx/_client.py",
            "/usr/lib/python3/dist-packages/yaml/__init__.py",
            "/usr/local/lib/python3.12/json/decoder.py",
            "/usr/lib64/python3.12/ssl.py",
            "C:\\hub\\Lib\\site-packages\\httpx\\_client.py",
            "<frozen importlib._bootstrap>",
        ):
            self.assertTrue(is_folded(file), file)

    def test_folds_the_hubs_own_runner_but_not_its_handlers(self) -> None:
        for file in ("deliveries/execution/runner.py", "integrations/connectors/client.py", "hub/wsgi.py"):
            self.assertTrue(is_folded(f"{ROOT}/{file}"), file)
        for file in ("integrations/handlers/http.py", "orders/handlers.py", "hubby/handlers.py"):
            self.assertFalse(is_folded(f"{ROOT}/{file}"), file)

    def test_leaves_other_apps_open_whatever_their_folders_are_called(self) -> None:
        for file in ("/srv/site/deliveries/handlers.py", "/srv/integrations/shop.py", "<string>", "shop.py", ""):
            self.assertFalse(is_folded(file), file)

    def test_leaves_packages_of_handlers_open_wherever_they_are_installed(self) -> None:
        self.assertFalse(is_folded(f"{VENV}/acme/hooks/orders.py", "acme.hooks"))
        self.assertFalse(is_folded(f"{VENV}/acme_hooks.py", "acme_hooks"))
        self.assertTrue(is_folded(f"{VENV}/acme/hooks_of_others.py", "acme.hooks"))
        self.assertTrue(is_folded(f"{VENV}/vendor/acme/hooks/orders.py", "acme.hooks"))
        self.assertTrue(is_folded(f"{VENV}/httpx/_client.py", ""))

    def test_keeps_the_error_last_with_all_its_lines(self) -> None:
        error = 'ValueError: two lines:\n    indented, and quoting File "x.py", line 1, in y'

        parts = parts_of(f"{HEAD}\n{frame(f'{VENV}/a.py')}\n{error}")

        self.assertEqual(parts[-1], Part(error))

    def test_keeps_the_place_of_a_syntax_error_with_the_error(self) -> None:
        error = f'  File "{VENV}/a.py", line 1\n    x = =\n        ^\nSyntaxError: invalid syntax'

        self.assertEqual(parts_of(error), [Part(error)])

    def test_shows_every_error_of_a_chain(self) -> None:
        cause = f"{HEAD}\n{frame(f'{VENV}/a.py')}\nKeyError: 'id'\n"
        between = "\nThe above exception was the direct cause of the following exception:\n\n"

        parts = parts_of(f"{cause}{between}{HEAD}\n{frame('/srv/shop.py')}\nValueError: no id")

        shown = "\n".join(part.text for part in parts if not part.is_folded)
        self.assertEqual([part.frames for part in parts if part.is_folded], [1])
        for text in ("KeyError: 'id'", between.strip(), "/srv/shop.py", "ValueError: no id"):
            self.assertIn(text, shown)

    def test_folds_frames_inside_a_group_of_errors(self) -> None:
        inner = f'    | {HEAD}\n    |   File "{VENV}/a.py", line 7, in run\n    |     run()\n    | ValueError: one'

        parts = parts_of(f"  | ExceptionGroup: two (2 sub-exceptions)\n  +-+--- 1 ---\n{inner}")

        self.assertEqual([(part.frames, part.is_folded) for part in parts], [(0, False), (1, True), (0, False)])
        self.assertEqual(parts[-1].text, "    | ValueError: one")

    def test_counts_a_repeated_frame_once(self) -> None:
        again = f"{frame(f'{VENV}/a.py')}\n  [Previous line repeated 996 more times]"

        self.assertEqual(parts_of(f"{again}\nRecursionError: deep")[0], Part(again, 1, is_folded=True))

    def test_reads_what_python_writes(self) -> None:
        try:
            Path("/nowhere/at/all").read_text(encoding="utf-8")
        except OSError as error:
            text = "".join(traceback.format_exception(error))

        parts = parts_of(text, packages=["tests"])

        self.assertEqual([part.is_folded for part in parts], [False, False, True, False])
        self.assertTrue(parts[-1].text.startswith("FileNotFoundError: "))


class AnyTextTests(SimpleTestCase):
    """Any text is taken."""

    def test_comes_back_whole_wherever_it_was_cut(self) -> None:
        whole = "\n".join([HEAD, frame(f"{VENV}/a.py"), frame("/srv/shop.py"), "ValueError: <b>é</b>"])
        for cut in range(len(whole)):
            for text in (whole[:cut], whole[cut:], f"{whole[:cut]}\n[...]\n{whole[cut:]}"):
                joined = "\n".join(part.text for part in parts_of(text))
                self.assertEqual(joined.split(), text.split(), cut)

    def test_counts_the_frames_that_are_left_of_a_long_one(self) -> None:
        text = shortened("\n".join([HEAD, *[frame(f"{VENV}/a.py")] * 2000, "ValueError: no"]))

        parts = parts_of(text)

        self.assertLessEqual(len(text), TRACEBACK_CHARACTERS)
        self.assertEqual([part.is_folded for part in parts], [False, True, False, True, False])
        self.assertIn("[...]", parts[2].text)
        self.assertEqual(sum(part.frames for part in parts), text.count(f'  File "{VENV}/a.py", line 7, in '))
        self.assertEqual(parts[-1].text, "ValueError: no")

    def test_may_be_nothing_or_nonsense(self) -> None:
        self.assertEqual(parts_of(""), [])
        self.assertEqual(parts_of("\n \n"), [])
        for text in (
            "\x00",
            '  File "',
            '  File "x',
            "[...]",
            "|" * 1000,
            " " * 1000 + 'File "',
            '  File "a", line 1, in ',
        ):
            self.assertEqual("\n".join(part.text for part in parts_of(text)), text)
