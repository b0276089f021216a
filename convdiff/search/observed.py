"""The bits of a case's own op at all of its lengths and batches, on one interpreter."""

from __future__ import annotations

from collections.abc import Callable

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.lab.jobs import observe
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Interpreter, Runtime, Standing

Stopping = Callable[[Session], None]
"""Called with each session, so that a signal ends it."""


def cells_of(case: Case, runtime: Runtime) -> list[Cell]:
    """Return the cells of a case's own op on a runtime, the largest first."""
    sizes = [(length, batch) for length in case.lengths[::-1] for batch in case.batches[::-1]]
    return [Cell(runtime, case.conv.op, length, batch) for length, batch in sizes]


def outputs_of(
    case: Case, runtime: Runtime, tensors: Tensors, lab: Session
) -> list[Array | NoBits]:
    """Return the outputs of `cells_of`."""
    cells = cells_of(case, runtime)
    answers = {cell: bits for cell, bits, _ in observe(case, cells, tensors, lab.pool, _whole)}
    return [answers.get(cell, NoBits("stopped")) for cell in cells]


def _whole(cell: Cell) -> None:
    """Ask for all places."""


def standing_of(case: Case, interpreter: Interpreter, lab: Session) -> Standing | str:
    """Return how an interpreter's first runtime that is there stands, or why there is none."""
    reasons = []
    for standing in lab.availability(case):
        if standing.runtime.interpreter == interpreter and standing.available:
            return standing
        reasons.append(standing.reason or "")
    return reasons[0] if reasons else "nothing is asked for"
