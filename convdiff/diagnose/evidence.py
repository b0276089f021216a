"""What a verdict rests on: facts of a comparison, of one of its sides, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["baseline", "candidate"]
Sides = Literal["baseline", "candidate", "both"]


@dataclass(frozen=True)
class SideFact:
    """What was found of one side."""

    side: Side
    fact: str

    def __str__(self) -> str:
        """Write the fact after its side, as the JSON report does."""
        return f"{self.side}: {self.fact}"


@dataclass(frozen=True)
class Look:
    """The known mistake that a finding `fits`, which a headline names, too."""

    mistake: str
    side: Sides = "candidate"
    """Whose mistake it is."""

    @property
    def fact(self) -> str:
        """What it looks like."""
        return f"it fits: {self.mistake}"

    def __str__(self) -> str:
        """Say what it looks like, after the side where that is not the candidate."""
        return self.fact if self.side == "candidate" else f"{self.side}: {self.fact}"


Evidence = str | SideFact | Look
"""A sentence on the whole comparison, a fact of a side, which a report calls by its name, or what
it looks like."""
