"""Whether what was found holds on other inputs, and on lengths that the search did not use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.model import ArraySpec, Case
from convdiff.case.override import vary
from convdiff.errors import ConvdiffError
from convdiff.lab.jobs import trial_input
from convdiff.search.cure.trial import Count, Trial

INPUTS = 16
"""Random inputs of a recheck; they are none of those that safe lengths were found on."""
FIRST = 1001
"""The number of the first of them."""
BEYOND = 4
"""Inputs on which longer and shorter lengths than the case's are tried."""
OF_THE_CASE, BETWEEN, OUTSIDE = 8, 8, 8
"""Lengths of each kind, at most."""
SWITCH_POINTS = (20_480,)
"""Elements of an input at which frameworks are known to take another kernel: PyTorch."""
FARTHEST = 4
"""Times the longest length, up to which longer ones are tried."""
LEAST_FAR = 40


@dataclass(frozen=True)
class Recheck:
    """What was seen on other data."""

    within: Trial
    """At the case's own lengths and new ones between them: this decides."""
    lengths: tuple[int, ...]
    fresh: tuple[int, ...]
    """Of those lengths, the ones that the search did not use."""
    beyond: Trial
    """At lengths outside of the case's, where there is something to say."""
    outside: tuple[int, ...]


def notable(case: Case) -> list[int]:
    """Return the lengths around powers of two and known switch points, in order."""
    image = case.batches[-1] * case.height * case.conv.channels_in
    points = {2**k for k in range(1, 16)} | {point // image for point in SWITCH_POINTS}
    near = {point + step for point in points for step in (-1, 0, 1)}
    return sorted(one for one in near if one >= case.conv.axes[-1].least)


def lengths_within(case: Case) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return lengths of a case and new ones between them, and which of them are new."""
    first, last = case.lengths[0], case.lengths[-1]
    own = spread(case.lengths, OF_THE_CASE)
    between = [one for one in notable(case) if first < one < last and one not in case.lengths]
    others = [one for one in range(first, last) if one not in case.lengths]
    fresh = set(spread(between, BETWEEN // 2)) | set(spread(others, BETWEEN // 2))
    return tuple(sorted({*own, *fresh})), tuple(sorted(fresh))


def lengths_outside(case: Case) -> tuple[int, ...]:
    """Return the notable lengths nearest to a case's, outside of them."""
    first, last = case.lengths[0], case.lengths[-1]
    most = max(FARTHEST * last, LEAST_FAR)
    beside = [one for one in notable(case) if one <= most and not first <= one <= last]
    beside.sort(key=lambda one: max(first / one, one / last))
    return tuple(sorted(beside[:OUTSIDE]))


def spread(values: Sequence[int], most: int) -> list[int]:
    """Return at most so many of some values, evenly spread, both ends included."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def at_lengths(case: Case, lengths: Sequence[int]) -> Case | None:
    """Return a case of random inputs at some lengths; None where it can't have them."""
    batch, height, _, channels = case.input_shape
    shape = (batch, height, lengths[-1], channels)
    spec = ArraySpec("zeros", shape, place=case.input.place)
    try:
        return vary(replace(case, input=spec), tuple(lengths))
    except ConvdiffError:
        return None


def inputs_of(case: Case, count: int) -> list[Tensors]:
    """Return a case's arrays with so many random inputs, normal and uniform in turn."""
    tensors = make_tensors(case)
    numbers = range(FIRST, FIRST + count)
    like = tensors.input_nhwc
    return [replace(tensors, input_nhwc=trial_input(like, number)) for number in numbers]


def joined(trials: Sequence[Trial]) -> Trial:
    """Return several trials as one: what drifts in any of them drifts."""
    failed = [one for one in trials if one.reason]
    if failed:
        return failed[0]
    counts: dict[str, Count] = {}
    lengths = set[int]()
    for trial in trials:
        lengths.update(trial.drifting_at)
        for axis, one in trial.counts.items():
            before = counts.get(axis, Count(0, 0))
            counts[axis] = Count(before.drifting + one.drifting, before.compared + one.compared)
    error = max((one.error for one in trials), default=0.0)
    return Trial(counts, error=error, drifting_at=tuple(sorted(lengths)))
