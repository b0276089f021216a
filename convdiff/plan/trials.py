"""How many random inputs each length gets, to tell chance from safety."""

from __future__ import annotations

import math

from convdiff.case.model import Case
from convdiff.plan.alike import longest_alike
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Runtime

TRIAL_CELLS = 1500
"""Random trials in a first round, over all lengths."""
TRIAL_OUTPUTS = 64
"""Random outputs compared at least in the first round, at every length."""
MOST_TRIALS = 16
"""Random trials a length, once a length has been seen to be unsafe."""
TRIAL_BYTES = 64 * 2**20
"""All random inputs together; a large input gets few."""


def trial_cell(case: Case, runtime: Runtime, length: int, trial: int) -> Cell:
    """Return the cell that runs a length on the n-th random input."""
    return Cell(runtime, case.conv.op, length, case.batches[-1], 0, trial)


def most_trials(case: Case) -> int:
    """Return how many random inputs this case's size allows."""
    return max(2, min(MOST_TRIALS, TRIAL_BYTES // (8 * math.prod(case.input_shape))))


def first_round(case: Case) -> dict[int, int]:
    """Return how many random inputs each length gets: more where there are few outputs.

    Those with which others are compared, such as the longest, have all of them.
    """
    if len(case.lengths) < 2:
        return {}
    most, share = most_trials(case), TRIAL_CELLS // len(case.lengths)
    trials = {}
    for length in case.lengths:
        outputs = math.prod(case.conv.output_shape(case.batches[-1], case.height, length))
        trials[length] = min(most, max(1, share, math.ceil(TRIAL_OUTPUTS / outputs)))
    anchors = {longest_alike(case, length) for length in case.lengths}
    return trials | dict.fromkeys(anchors, max(trials.values()))
