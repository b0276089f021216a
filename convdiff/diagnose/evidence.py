"""What a verdict rests on: facts of a comparison, and facts of one of its sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["baseline", "candidate"]


@dataclass(frozen=True)
class SideFact:
    """What was found of one side."""

    side: Side
    fact: str

    def __str__(self) -> str:
        """Write the fact after its side, as the JSON report does."""
        return f"{self.side}: {self.fact}"


Evidence = str | SideFact
"""A sentence on the whole comparison, or a fact of a side, which a report calls by its name."""
