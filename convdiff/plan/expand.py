"""From a case and its runtimes to cells, and to the pairs of cells that are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from convdiff.case.axes import AXES, Axis
from convdiff.case.model import Case
from convdiff.plan.alike import longest_alike, padding_notes
from convdiff.plan.cell import CLEAN, EXACT, Cell
from convdiff.plan.plan import Pair, Plan
from convdiff.plan.trials import first_round, trial_cell
from convdiff.runtime.model import Runtime
from convdiff.worker.ops import REFERENCE

Partners = Callable[[Sequence[Runtime], Runtime], list[tuple[Axis, Runtime]]]
"""From all runtimes and one of them to those that it is compared with, and along which axis."""
REFERENCE_LENGTHS = 256
"""Lengths that also get the manual reference: all of them up to here, beyond that evenly spread."""


def expand(
    case: Case, runtimes: Sequence[Runtime], *, pairwise: bool = False, clean: bool = False
) -> Plan:
    """Return the cells of a case on these runtimes, and their comparisons.

    pairwise: each runtime is compared with every other, not just with the first. clean: each
    convolution is compared with itself on data with zeros for NaN and infinity.

    The longest length and the largest batch come first, since all others are compared with them.
    All cells of one length follow each other: a framework that caches its kernels by shape then
    makes each only once.
    """
    trials = first_round(case)
    referenced = _spread(case.lengths, REFERENCE_LENGTHS)
    cells: list[Cell] = []
    for runtime in runtimes:
        for length in reversed(case.lengths):
            cells += _cells_of_length(case, runtime, length, trials.get(length, 0))
    cells = [cell for cell in cells if not cell.is_reference or cell.length in referenced]
    partners = partners_of(pairwise=pairwise)
    pairs: list[Pair] = []
    for cell in cells:
        if not cell.trial:
            pairs += _pairs(case, cell, partners(runtimes, cell.runtime), referenced)
    if clean:
        against_zeros = list(_clean_pairs(cells))
        cells += [pair.baseline for pair in against_zeros]
        pairs += against_zeros
    order = list(AXES)
    pairs.sort(key=lambda pair: (order.index(pair.axis), pair.candidate.length))
    notes = tuple(padding_notes(case))
    return Plan(case, tuple(runtimes), tuple(cells), tuple(pairs), trials, notes)


def _spread(lengths: Sequence[int], most: int) -> frozenset[int]:
    """Return at most so many lengths, evenly spread, both ends included."""
    if len(lengths) <= most:
        return frozenset(lengths)
    return frozenset(lengths[round(i * (len(lengths) - 1) / (most - 1))] for i in range(most))


def _cells_of_length(case: Case, runtime: Runtime, length: int, trials: int) -> list[Cell]:
    """Return the convolutions on the case's input, those on random ones, then the references."""
    ops: dict[str, list[Cell]] = {case.conv.op: [], REFERENCE: []}
    for op, cells in ops.items():
        for batch in reversed(case.batches):
            cells += [Cell(runtime, op, length, batch, repeat) for repeat in range(case.repeat)]
    first = Cell(runtime, case.conv.op, length, case.batches[-1])
    some = [replace(first, channels=channels) for channels in reversed(case.channels_out)]
    random = [trial_cell(case, runtime, length, trial) for trial in range(1, trials + 1)]
    return [*ops[case.conv.op], *some, *random, *ops[REFERENCE]]


def _pairs(
    case: Case, cell: Cell, partners: Sequence[tuple[Axis, Runtime]], referenced: frozenset[int]
) -> Iterator[Pair]:
    """Yield the comparisons in which `cell` is the candidate: one an axis, all else equal."""
    if cell.repeat:
        yield Pair("repeat", replace(cell, repeat=0), cell)
        return
    for axis, runtime in partners:
        yield Pair(axis, replace(cell, runtime=runtime), cell)
    if cell.channels:
        yield Pair("channels", replace(cell, channels=0), cell)
    if cell.is_reference or cell.channels:
        return
    longest = longest_alike(case, cell.length)
    if cell.length != longest:
        yield Pair("length", replace(cell, length=longest), cell)
    if cell.batch != case.batches[-1]:
        yield Pair("batch", replace(cell, batch=case.batches[-1]), cell)
    if cell.length in referenced:
        yield Pair("reference", replace(cell, op=REFERENCE), cell)
    # The longest of the largest batch stands for all of a runtime that are compared with it.
    if (cell.length, cell.batch) == (longest, case.batches[-1]):
        yield Pair("exact", replace(cell, op=EXACT), cell)


def _clean_pairs(cells: Sequence[Cell]) -> Iterator[Pair]:
    """Yield the comparison of each convolution's first run with itself on clean data."""
    for cell in cells:
        if cell.is_first_run and not cell.is_reference:
            yield Pair("clean", replace(cell, trial=CLEAN), cell)


def partners_of(*, pairwise: bool) -> Partners:
    """Return what gives the runtimes that one is compared with, each with the axis between them.

    pairwise: all before it; else for each axis the first.
    """
    return _others if pairwise else first_partners


def first_partners(runtimes: Sequence[Runtime], runtime: Runtime) -> list[tuple[Axis, Runtime]]:
    """Return, for each axis along which this runtime is not the first, the one that is."""
    partners = []
    for axis in _coordinates(runtime):
        first = next(other for other in runtimes if _differ(other, runtime) in ([], [axis]))
        if first != runtime:
            partners.append((axis, first))
    # One that differs from all others along two axes at once is compared with the first of all.
    if not partners and runtime != runtimes[0]:
        partners = [(_axis(runtimes[0], runtime), runtimes[0])]
    return partners


def _others(runtimes: Sequence[Runtime], runtime: Runtime) -> list[tuple[Axis, Runtime]]:
    """Return all runtimes before this one, each with the axis along which the two differ."""
    return [(_axis(other, runtime), other) for other in runtimes[: runtimes.index(runtime)]]


def _axis(one: Runtime, other: Runtime) -> Axis:
    """Return the one axis along which two runtimes differ; of several, the widest."""
    axes = _differ(one, other)
    return axes[0] if len(axes) == 1 else "runtime"


def _differ(one: Runtime, other: Runtime) -> list[Axis]:
    """Return the axes along which two runtimes differ."""
    ours, theirs = _coordinates(one), _coordinates(other)
    return [axis for axis in ours if ours[axis] != theirs[axis]]


def _coordinates(runtime: Runtime) -> dict[Axis, object]:
    """Return where a runtime is on each axis between runtimes."""
    inner = runtime.interpreter
    rest = (inner.framework, inner.python, inner.settings, inner.label, runtime.device.modes)
    return {"device": runtime.device.bare, "threads": inner.threads, "runtime": rest}
