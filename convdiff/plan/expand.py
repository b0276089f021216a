"""From a case and its runtimes to cells, and to the pairs of cells that are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from convdiff.case.axes import AXES, Axis
from convdiff.case.model import Case
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Runtime
from convdiff.worker.ops import REFERENCE

TRIAL_CELLS = 1500
"""Random trials in a first round, over all lengths."""
TRIAL_OUTPUTS = 64
"""Random outputs compared at least in the first round, at every length."""
MOST_TRIALS = 16
"""Random trials a length, once a length has been seen to be unsafe."""
TRIAL_BYTES = 64 * 2**20
"""All random inputs together; a large input gets few."""
REFERENCE_LENGTHS = 256
"""Lengths that also get the manual reference: all of them up to here, beyond that evenly spread."""


@dataclass(frozen=True)
class Pairing:
    """Two cells whose outputs are compared, and along which axis they differ."""

    axis: Axis
    baseline: Cell
    candidate: Cell


@dataclass(frozen=True)
class Plan:
    """All that is run for one case, and all that is compared."""

    case: Case
    runtimes: tuple[Runtime, ...]
    cells: tuple[Cell, ...]
    pairings: tuple[Pairing, ...]
    trials: Mapping[int, int]
    """Random inputs of each length in the first round; a cell with trial n takes the n-th."""


def expand(case: Case, runtimes: Sequence[Runtime], *, pairwise: bool = False) -> Plan:
    """Return the cells of a case on these runtimes, and their comparisons.

    pairwise: each runtime is compared with every other, not just with the first.

    The longest length and the largest batch come first, since all others are compared with them.
    All cells of one length follow each other: a framework that caches its kernels by shape then
    makes each only once.
    """
    trials, referenced = _first_round(case), _spread(case.lengths, REFERENCE_LENGTHS)
    order = list(AXES)
    cells = [
        cell
        for runtime in runtimes
        for length in reversed(case.lengths)
        for cell in _cells_of_length(case, runtime, length, trials.get(length, 0))
        if not cell.is_reference or length in referenced
    ]
    pairings = sorted(
        (
            pairing
            for cell in cells
            if not cell.trial
            for pairing in _pairings(case, runtimes, cell, pairwise)
            if pairing.axis != "reference" or cell.length in referenced
        ),
        key=lambda pairing: (order.index(pairing.axis), pairing.candidate.length),
    )
    return Plan(case, tuple(runtimes), tuple(cells), tuple(pairings), trials)


def trial_cell(case: Case, runtime: Runtime, length: int, trial: int) -> Cell:
    """Return the cell that runs a length on the n-th random input."""
    return Cell(runtime, case.conv.op, length, case.batches[-1], 0, trial)


def most_trials(case: Case) -> int:
    """Return how many random inputs this case's size allows."""
    return max(2, min(MOST_TRIALS, TRIAL_BYTES // (8 * math.prod(case.input.shape))))


def _spread(lengths: Sequence[int], most: int) -> frozenset[int]:
    """Return at most so many lengths, evenly spread, both ends included."""
    if len(lengths) <= most:
        return frozenset(lengths)
    return frozenset(lengths[round(i * (len(lengths) - 1) / (most - 1))] for i in range(most))


def _first_round(case: Case) -> dict[int, int]:
    """Return how many random inputs each length gets: more where there are few outputs.

    The longest has all of them, since the others are compared with it.
    """
    if len(case.lengths) < 2:
        return {}
    most, share = most_trials(case), TRIAL_CELLS // len(case.lengths)
    trials = {}
    for length in case.lengths:
        outputs = math.prod(case.conv.output_shape(case.batches[-1], case.height, length))
        trials[length] = min(most, max(1, share, math.ceil(TRIAL_OUTPUTS / outputs)))
    return {**trials, case.lengths[-1]: max(trials.values())}


def _cells_of_length(case: Case, runtime: Runtime, length: int, trials: int) -> list[Cell]:
    batches = tuple(reversed(case.batches))
    own, reference = (
        [
            Cell(runtime, op, length, batch, repeat)
            for batch in batches
            for repeat in range(case.repeat)
        ]
        for op in (case.conv.op, REFERENCE)
    )
    random = [trial_cell(case, runtime, length, trial) for trial in range(1, trials + 1)]
    return [*own, *random, *reference]


def _pairings(case: Case, runtimes: Sequence[Runtime], cell: Cell, pairwise: bool) -> list[Pairing]:
    """Return the comparisons in which `cell` is the candidate: one an axis, all else equal."""
    if cell.repeat:
        return [Pairing("repeat", replace(cell, repeat=0), cell)]
    others = _others(runtimes, cell.runtime) if pairwise else _first(runtimes, cell.runtime)
    found = [Pairing(axis, replace(cell, runtime=other), cell) for axis, other in others]
    if cell.is_reference:
        return found
    if cell.length != case.lengths[-1]:
        found.append(Pairing("length", replace(cell, length=case.lengths[-1]), cell))
    if cell.batch != case.batches[-1]:
        found.append(Pairing("batch", replace(cell, batch=case.batches[-1]), cell))
    found.append(Pairing("reference", replace(cell, op=REFERENCE), cell))
    return found


def _first(runtimes: Sequence[Runtime], runtime: Runtime) -> list[tuple[Axis, Runtime]]:
    """Return, for each axis along which this runtime is not the first, the one that is."""
    mine = _coordinates(runtime)

    def first(axis: Axis) -> Runtime:
        """Return the first runtime that differs from this one along `axis` at most."""
        return next(
            other for other in runtimes if {**_coordinates(other), axis: mine[axis]} == mine
        )

    alone = [(axis, other) for axis in mine if (other := first(axis)) != runtime]
    # One that differs from all others along two axes at once is compared with the first of all.
    if not alone and runtime != runtimes[0]:
        alone = [(_axis(runtimes[0], runtime), runtimes[0])]
    return alone


def _others(runtimes: Sequence[Runtime], runtime: Runtime) -> list[tuple[Axis, Runtime]]:
    """Return all runtimes before this one, each with the axis along which the two differ."""
    return [(_axis(other, runtime), other) for other in runtimes[: runtimes.index(runtime)]]


def _axis(one: Runtime, other: Runtime) -> Axis:
    """Return the one axis along which two runtimes differ; of several, the widest."""
    ours, theirs = _coordinates(one), _coordinates(other)
    differing = [axis for axis in ours if ours[axis] != theirs[axis]]
    return differing[0] if len(differing) == 1 else "runtime"


def _coordinates(runtime: Runtime) -> dict[Axis, object]:
    """Return where a runtime is on each axis between runtimes."""
    inner = runtime.interpreter
    rest = (inner.framework, inner.python, inner.settings, inner.label, runtime.device.modes)
    return {"device": runtime.device.bare, "threads": inner.threads, "runtime": rest}
