"""Safe lengths are checked again on inputs that the search did not use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from convdiff.net.padding.result import Run, Safe
from convdiff.net.padding.runs import Compared
from convdiff.net.padding.search import Input, Search

UNSEEN = 16
"""Random inputs that each group's answer meets, each with one of its data lengths."""


@dataclass(frozen=True)
class Rechecked:
    """Answers that held on all inputs that the search had not used."""

    safe: tuple[Safe, ...]
    inputs: int
    """Inputs that each answer met."""
    runs: int
    """On how many runs, of all groups, it held."""


def find_rechecked(
    searches: Sequence[Search], compared: Compared, unseen: int = UNSEEN
) -> Rechecked:
    """Find every group's safe length and check it; one that fails is sought anew, on more inputs.

    Raises UnansweredError.
    """
    found = [search.find() for search in searches]
    for first in count(1, unseen):
        trials = range(first, first + unseen)
        failed, runs = 0, 0
        for number, search in enumerate(searches):
            inputs = _inputs(search, trials)
            if found[number].length == search.paper.fixed:
                continue  # itself
            asked = [Run(data, found[number].length, trial) for data, trial in inputs]
            misses = compared.misses(asked)
            runs += len(misses)
            if any(misses.values()):
                failed += 1
                search.inputs += inputs
                found[number] = search.find()
        if not failed:
            return Rechecked(tuple(found), unseen, runs)
    raise AssertionError("the fixed length holds")


def _inputs(search: Search, trials: Sequence[int]) -> list[Input]:
    """Return a data length of the group for each trial, all over it."""
    data = search.group.data
    return [(data[7 * trial % len(data)], trial) for trial in trials]
