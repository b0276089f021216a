"""What is run for one case, and which pairs of cells are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from convdiff.case.axes import Axis
from convdiff.case.model import Case
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Runtime


@dataclass(frozen=True)
class Pair:
    """Two cells whose outputs are compared, and along which axis they differ."""

    axis: Axis
    baseline: Cell
    candidate: Cell
    reason: str = ""
    """Why they can't be compared, where that is known beforehand."""

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """Baseline and candidate."""
        return self.baseline, self.candidate


@dataclass(frozen=True)
class Plan:
    """All that is asked of a lab for one case, and all that is compared."""

    case: Case
    runtimes: tuple[Runtime, ...]
    cells: tuple[Cell, ...]
    """Recorded ones first."""
    pairs: tuple[Pair, ...]
    trials: Mapping[int, int] = field(default_factory=dict)
    """Random inputs of each length in the first round; a cell with trial n takes the n-th."""
    notes: tuple[str, ...] = ()
    """In what the machines of recordings differ from these, or from each other."""
    unclaimed: tuple[str, ...] = ()
    """Entries of the baseline that the case does not ask for any more."""

    @property
    def live(self) -> tuple[Cell, ...]:
        """Return the cells that are run."""
        return tuple(cell for cell in self.cells if not cell.recorded)
