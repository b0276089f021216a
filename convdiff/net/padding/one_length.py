"""One length for all data: whether the longest answer is safe for shorter data, too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from convdiff.net.padding.paper import Paper
from convdiff.net.padding.recheck import UNSEEN, inputs_of
from convdiff.net.padding.result import Common, Run, Safe
from convdiff.net.padding.runs import Compared
from convdiff.net.padding.search import Search

TRIED = 8
"""Lengths that are tried before the fixed one is named."""


def find_common(paper: Paper, compared: Compared, answers: Sequence[tuple[Search, Safe]]) -> Common:
    """Return a length at which all data has the fixed one's bits: the longest answer, or more.

    Each data length is run at it on the net's own input, and some of each group on unseen inputs.
    Raises UnansweredError.
    """
    inputs = [(data, 0) for search, _ in answers for data in search.group.data]
    for number, (search, _) in enumerate(answers):
        trials = [1 + (number + n) % UNSEEN for n in range(max(2, UNSEEN // len(answers)))]
        inputs += inputs_of(search, trials)
    # what is enough for the longest data is for shorter data: fewer outputs depend on it
    longest = max(safe.length for _, safe in answers)
    for length in islice(paper.rungs(answers[-1][0].group.data[-1], longest), TRIED):
        misses = compared.misses([Run(data, length, trial) for data, trial in inputs])
        if not any(misses.values()):
            return Common(length, len(misses))
    return Common(paper.fixed)
