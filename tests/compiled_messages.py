"""A language made up for tests: whatever is marked, between brackets, compiled as gettext wants it."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import ClassVar

from tests.marked_text import marked

#: A language that Django knows and the hub does not have.
LANGUAGE = "eo"
_HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


class MadeUpLanguage:
    """For tests: the language stands in ``folder``."""

    folder: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()  # type: ignore[misc]
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)  # type: ignore[attr-defined]
        cls.folder = Path(temporary.name)
        write_pseudo_language(cls.folder)


def pseudo(text: str) -> str:
    """Return a text of English as the made-up language says it."""
    return f"⟦{text}⟧"


def write_pseudo_language(folder: Path) -> None:
    """Write all that is marked, in the made-up language, where ``LOCALE_PATHS`` looks for it below ``folder``."""
    messages = {"": _HEADER}
    for one, many in marked():
        if one and (many or one not in messages):
            messages[f"{one}\0{many}" if many else one] = f"{pseudo(one)}\0{pseudo(many)}" if many else pseudo(one)
    target = folder / LANGUAGE / "LC_MESSAGES"
    target.mkdir(parents=True)
    (target / "django.mo").write_bytes(_compiled(messages))


def _compiled(messages: dict[str, str]) -> bytes:
    """Return a catalogue as a file of the GNU format: two tables of lengths and offsets, then the texts.

    https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
    """
    pairs = sorted((key.encode(), text.encode()) for key, text in messages.items())
    place = 28 + 16 * len(pairs)
    tables: list[int] = []
    texts = b""
    for column in (0, 1):
        for pair in pairs:
            tables += [len(pair[column]), place + len(texts)]
            texts += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + struct.pack(f"<{len(tables)}I", *tables) + texts
