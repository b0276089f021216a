"""What probes find in cells: asked once each, or read from a recording."""

from __future__ import annotations

from collections.abc import Callable

from convdiff.behaviour.behaviour import Behaviour
from convdiff.plan.cell import Cell
from convdiff.recording.pairing import Archive


class Examiner:
    """Probes cells once each; what can't be run any more says what it said then."""

    def __init__(self, probe: Callable[[Cell], Behaviour], archive: Archive) -> None:
        self._probe, self._archive = probe, archive
        self.found: dict[Cell, Behaviour] = {}

    def of(self, cell: Cell) -> Behaviour | None:
        """Return what probes find in a cell; None for a recorded one that was left out then."""
        if cell.runtime.origin:
            return self._archive.probed(cell)
        if cell not in self.found:
            self.found[cell] = self._probe(cell)
        return self.found[cell]
