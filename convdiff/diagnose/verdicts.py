"""The verdicts, the gravest first: one row each, for the judge, for `expect` and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from convdiff.case.model import Allowance

Verdict = Literal[
    "wrong", "unstable", "precision", "transform", "rounding", "untested", "mistrusted", "same"
]
Tone = Literal["good", "calm", "odd", "erratic", "grave", "faint"]
"""How a report that has colours says it: rounding is calm, a bug is grave."""


@dataclass(frozen=True)
class VerdictFacts:
    """What is known of a verdict, whatever the comparison."""

    tone: Tone
    short: str = ""
    """What stands in a square of pairs; empty for the verdict itself."""
    differs: bool = True
    """The sides are there, and they are not the same."""
    proves_nothing: bool = False
    """Neither equality nor a difference of the kernels is known."""
    has_cause: bool = False
    """Other summation orders may be the cause, and are looked for."""


VERDICTS: Mapping[Verdict, VerdictFacts] = {
    "wrong": VerdictFacts("grave"),
    "unstable": VerdictFacts("erratic"),
    "precision": VerdictFacts("odd", "prec", has_cause=True),
    "transform": VerdictFacts("odd", "transf"),
    "rounding": VerdictFacts("calm", has_cause=True),
    "untested": VerdictFacts("faint", "—", differs=False, proves_nothing=True),
    "mistrusted": VerdictFacts("odd", "?", differs=False, proves_nothing=True),
    "same": VerdictFacts("good", "=", differs=False),
}


def gravity(verdict: Verdict) -> int:
    """Return how grave a verdict is: the larger the graver."""
    return -list(VERDICTS).index(verdict)


def permits(allowance: Allowance, verdict: Verdict, max_ulp: int) -> bool:
    """Return whether `expect` allows a verdict. What was not compared is no drift."""
    if not VERDICTS[verdict].differs or allowance.kind == "anything":
        return True
    if verdict != "rounding":
        return False
    return allowance.kind == "rounding" or (allowance.kind == "ulps" and max_ulp <= allowance.ulps)
