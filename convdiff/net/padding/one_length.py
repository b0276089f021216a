"""One length for all data: whether the longest answer is safe for shorter data, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from convdiff.net.padding.paper import Paper
from convdiff.net.padding.recheck import UNSEEN, inputs_of
from convdiff.net.padding.result import Common, Run, Safe
from convdiff.net.padding.runs import Compared
from convdiff.net.padding.search import Search

TRIED = 8
"""Lengths that are tried before the fixed one is named."""


def find_common(paper: Paper, compared: Compared, found: Sequence[tuple[Search, Safe]]) -> Common:
    """Return a length at which all data has the fixed one's bits: the longest answer, or more.

    Each data length is run at it on the net's own input, and some of each group on unseen inputs.
    Raises UnansweredError.
    """
    inputs = [(data, 0) for search, _ in found for data in search.group.data]
    for number, (search, _) in enumerate(found):
        trials = [1 + (number + n) % UNSEEN for n in range(max(2, UNSEEN // len(found)))]
        inputs += inputs_of(search, trials)
    longest = max(safe.length for _, safe in found)
    for length in islice(_candidates(paper, found[-1][0].group.data[-1], longest), TRIED):
        misses = compared.misses([Run(data, length, trial) for data, trial in inputs])
        if not any(misses.values()):
            return Common(length, len(misses))
    return Common(paper.fixed)


def _candidates(paper: Paper, data: int, least: int) -> Iterator[int]:
    """Yield a length, and the first that is enough of each further count of output positions.

    What is enough for the longest data is for shorter data: fewer outputs depend on it.
    """
    before = 0
    for length in range(least, paper.fixed):
        count = paper.positions(length)
        if count > before and paper.enough(data, length):
            yield length
            before = count
