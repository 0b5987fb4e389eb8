"""What a check of the doctor says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Level = Literal["problem", "warning"]
#: What was looked at, in a few words ("" if there is nothing to say), and what is wrong with it.
Finding = tuple[str, Sequence["Symptom"]]


@dataclass(frozen=True)
class Symptom:
    """One thing that is wrong: a ``problem`` keeps the hub from its promises, a ``warning`` may be meant so."""

    level: Level
    text: str
    mend: str


@dataclass(frozen=True)
class Result:
    """What one check found."""

    check: str
    fact: str
    symptoms: Sequence[Symptom]

    @property
    def has_problem(self) -> bool:
        """Whether something has to be mended."""
        return any(symptom.level == "problem" for symptom in self.symptoms)

    def as_json(self) -> dict[str, Any]:
        """Return the result for a program."""
        return {"check": self.check, "fact": self.fact, "symptoms": [vars(symptom) for symptom in self.symptoms]}


@dataclass(frozen=True)
class Check:
    """A named look at one side of the hub; ``is_needed``: where it finds a problem, those after it make no sense."""

    name: str
    look: Callable[[datetime], Finding]
    is_needed: bool = False


def problem(text: str, mend: str) -> Symptom:
    """Return a symptom that has to be mended."""
    return Symptom("problem", text, mend)


def warning(text: str, mend: str) -> Symptom:
    """Return a symptom that may be meant so."""
    return Symptom("warning", text, mend)
