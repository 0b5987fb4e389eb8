"""Stored tracebacks, split into what a reader looks for and the frames of libraries and the hub to fold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

#: A frame's own line. Without the function's name it is the place of a syntax error, which belongs to the error. What
#: stands before it is deeper in a group of errors, which draws a margin.
_FRAME = re.compile(r'(?P<margin>[ |]*  )File "(?P<file>[^"]*)", line \d+, in ')
#: Where Python keeps what is installed, and what it brings itself; as a worker names it, which may be another machine.
_INSTALLED = re.compile(r"/(?:site|dist)-packages/")
_LIBRARY = re.compile(r"^/usr/lib|^<frozen |/(?:site|dist)-packages/|/lib(?:64)?/python[\d.]+/", re.IGNORECASE)
#: The directory that the hub's packages lie in.
_ROOT = Path(__file__).parents[1].as_posix()


@dataclass(frozen=True)
class Part:
    """Some lines of a traceback: ``frames`` of them, or, with 0, what stands around them, errors above all."""

    text: str
    frames: int = 0
    is_folded: bool = False


def parts_of(text: str, *, packages: Collection[str] = ()) -> list[Part]:
    """Return ``text`` in parts, in its order, which joined by line breaks are ``text`` again but for blank lines.

    Frames of libraries and of the hub itself are folded. What stays open are errors, frames of handlers, the hub's
    ready ones too, those of ``packages`` (dotted names) wherever they are installed, and whatever is no frame at all:
    any text is taken, a shortened one too.
    """
    ours = tuple(f"/{name.replace('.', '/')}" for name in packages if name)
    parts = []
    for (framed, folded), pieces in groupby(_pieces(text), key=lambda piece: _sort(piece, ours)):
        together = list(pieces)
        lines = "\n".join(piece.line for piece in together)
        frames = sum(piece.is_first for piece in together) if framed else 0
        parts.append(Part(lines, frames, is_folded=folded))
    return [part for part in parts if part.text.strip()]


@dataclass(frozen=True)
class _Piece:
    """A line and the file of the frame that it belongs to; None where it belongs to none."""

    line: str
    file: str | None = None
    is_first: bool = False


def _pieces(text: str) -> Iterator[_Piece]:
    file, deeper = None, ""
    for line in text.split("\n"):
        if found := _FRAME.match(line):
            file, deeper = found["file"], found["margin"] + "  "
            yield _Piece(line, file, is_first=True)
            continue
        if file is not None and not line.startswith((deeper, f"{deeper[:-2]}[Previous line repeated ")):
            file = None
        yield _Piece(line, file)


def _sort(piece: _Piece, ours: tuple[str, ...]) -> tuple[bool, bool]:
    """Return whether ``piece`` is of a frame, and whether that is folded."""
    return piece.file is not None, piece.file is not None and _folds(piece.file, ours)


def _folds(file: str, ours: tuple[str, ...]) -> bool:
    path = file.replace("\\", "/")
    installed = _INSTALLED.split(path)
    inside = f"/{installed[-1]}" if len(installed) > 1 else path.removeprefix(_ROOT)
    if any(inside == f"{name}.py" or inside.startswith(f"{name}/") for name in ours):
        return False
    if _LIBRARY.search(path):
        return True
    of_hub = path.startswith(f"{_ROOT}/") and inside.startswith(("/deliveries/", "/hub/", "/integrations/"))
    return of_hub and not inside.startswith("/integrations/handlers/")
