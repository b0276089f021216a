"""From a case and its runtimes to cells, and to the pairs of cells that are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from convdiff.case.model import Axis, Case
from convdiff.recording.observation import Cell, Op
from convdiff.runtime.model import Runtime

OPS: tuple[Op, ...] = ("conv2d", "manual")
TRIAL_ELEMENTS = 64
"""Random trials go on until so many outputs were compared: at T = k there is one an input."""
MOST_TRIALS = 16


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
    trials: int
    """How many random inputs there are; a cell with trial n takes the n-th."""


def expand(case: Case, runtimes: Sequence[Runtime]) -> Plan:
    """Return the cells of a case on these runtimes, baselines first.

    The longest length comes first: all others are compared with it.
    """
    lengths, batches = tuple(reversed(case.lengths)), tuple(reversed(case.batches))
    trials = {length: _trials(case, length) for length in lengths}
    cells = [
        Cell(runtime, op, length, batch, repeat)
        for runtime in runtimes
        for op in OPS
        for length in lengths
        for batch in batches
        for repeat in range(case.repeat)
    ]
    random = [
        Cell(runtime, "conv2d", length, batches[0], 0, trial)
        for runtime in runtimes
        for length in lengths
        for trial in range(1, (max(trials.values()) if length == lengths[0] else trials[length]) + 1)
        if len(lengths) > 1
    ]
    pairings = [pairing for cell in cells for pairing in _pairings(case, runtimes, cell)]
    most = max((cell.trial for cell in random), default=0)
    return Plan(case, tuple(runtimes), (*cells, *random), tuple(pairings), most)


def _trials(case: Case, length: int) -> int:
    """Return how many random inputs a length needs: more where it has few outputs."""
    outputs = math.prod(case.conv.output_shape(max(case.batches), case.height, length))
    return min(MOST_TRIALS, max(2, math.ceil(TRIAL_ELEMENTS / outputs)))


def _pairings(case: Case, runtimes: Sequence[Runtime], cell: Cell) -> list[Pairing]:
    """Return the comparisons in which `cell` is the candidate: one an axis, all else equal."""
    if cell.repeat:
        return [Pairing("repeat", replace(cell, repeat=0), cell)]
    found = [
        Pairing(axis, replace(cell, runtime=first), cell)
        for axis, first in _baseline_runtimes(runtimes, cell.runtime).items()
    ]
    if cell.op != "conv2d":
        return found
    if cell.length != case.lengths[-1]:
        found.append(Pairing("length", replace(cell, length=case.lengths[-1]), cell))
    if cell.batch != case.batches[-1]:
        found.append(Pairing("batch", replace(cell, batch=case.batches[-1]), cell))
    found.append(Pairing("reference", replace(cell, op="manual"), cell))
    return found


def _baseline_runtimes(runtimes: Sequence[Runtime], runtime: Runtime) -> Mapping[Axis, Runtime]:
    """Return, for each axis along which this runtime is not the first, the one that is."""

    def settled(other: Runtime) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        inner = other.interpreter
        return inner.framework, inner.python, inner.settings

    def first(*, device: bool, threads: bool, runtime_axis: bool) -> Runtime:
        return next(
            other
            for other in runtimes
            if (device or other.device == runtime.device)
            and (threads or other.interpreter.threads == runtime.interpreter.threads)
            and (runtime_axis or settled(other) == settled(runtime))
        )

    candidates: dict[Axis, Runtime] = {
        "device": first(device=True, threads=False, runtime_axis=False),
        "threads": first(device=False, threads=True, runtime_axis=False),
        "runtime": first(device=False, threads=False, runtime_axis=True),
    }
    return {axis: other for axis, other in candidates.items() if other != runtime}
