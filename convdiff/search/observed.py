"""The bits of a case's own op at all of its lengths and batches, on one interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.errors import ConvdiffError
from convdiff.lab.jobs import observe
from convdiff.lab.live import gives_others
from convdiff.lab.pool import Pool
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Interpreter, Runtime, Standing

Stopping = Callable[[Session], None]
"""Called with each session, so that a signal ends it."""
UNSTEADY = "two identical calls give other bits"
"""Why a change of what varies from run to run is not looked for."""


def cells_of(case: Case, runtime: Runtime) -> list[Cell]:
    """Return the cells of a case's own op on a runtime, the largest first."""
    sizes = product(case.lengths[::-1], case.batches[::-1])
    return [Cell(runtime, case.conv.op, length, batch) for length, batch in sizes]


def outputs_of(
    case: Case, runtime: Runtime, tensors: Tensors, lab: Session
) -> list[Array | NoBits]:
    """Return the outputs of `cells_of`, as `steady` gives them."""
    return steady(case, cells_of(case, runtime), tensors, lab.pool)


def steady(case: Case, cells: Sequence[Cell], tensors: Tensors, pool: Pool) -> list[Array | NoBits]:
    """Run cells twice; NoBits where both runs differ, since no change of theirs has a place."""
    first, second = (_run(case, cells, tensors, pool) for _ in range(2))
    outputs = []
    for cell in cells:
        unsteady = gives_others(first[cell], second[cell])
        outputs.append(NoBits(UNSTEADY) if unsteady else first[cell])
    return outputs


def _run(
    case: Case, cells: Sequence[Cell], tensors: Tensors, pool: Pool
) -> dict[Cell, Array | NoBits]:
    """Run each cell once; NoBits for those that were not reached."""
    outputs: dict[Cell, Array | NoBits] = dict.fromkeys(cells, NoBits("stopped"))
    for cell, bits, _ in observe(case, cells, tensors, pool, _whole):
        outputs[cell] = bits
    return outputs


def _whole(cell: Cell) -> None:
    """Ask for all places."""


def standing_of(case: Case, interpreter: Interpreter, lab: Session) -> Standing | str:
    """Return how an interpreter's runtime that is there stands, or why there is none.

    Raises ConvdiffError for two of them.
    """
    standings = [one for one in lab.availability(case) if one.runtime.interpreter == interpreter]
    there = [standing for standing in standings if standing.available]
    if len(there) > 1:
        names = " and ".join(str(one.runtime.device) for one in there)
        raise ConvdiffError(f"bisect: on one device, not {names}: name one with --device")
    if there:
        return there[0]
    if standings:
        return standings[0].reason or ""
    return "nothing is asked for"
