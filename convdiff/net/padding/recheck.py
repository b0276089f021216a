"""Safe lengths are checked again on inputs that the search did not use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from convdiff.net.padding.result import Run, Safe
from convdiff.net.padding.runs import Compared, UnansweredError
from convdiff.net.padding.search import Input, Search

UNSEEN = 16
"""Random inputs; each group's answer meets all of them, each with one of its data lengths."""
RUNS = 256
"""Runs of all groups together; of many groups each meets some of the inputs, two at least."""


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
    answers: list[Safe] = []
    try:
        for number, search in enumerate(searches, 1):
            search.beside = [other for other in searches[number:] if other.is_open]
            answers.append(search.find())
        for first in count(1, unseen):
            held = _recheck(searches, answers, compared, range(first, first + unseen))
            if held is not None:
                return Rechecked(tuple(answers), unseen, held)
    except UnansweredError as error:
        error.safe = tuple(answers)
        raise
    raise AssertionError("the fixed length holds")


def _recheck(
    searches: Sequence[Search], answers: list[Safe], compared: Compared, trials: Sequence[int]
) -> int | None:
    """Check answers, and put others in the place of those that fail; None where any did."""
    failed, runs = False, 0
    for number, search in enumerate(searches):
        each = max(2, min(len(trials), RUNS // len(searches)))
        length = answers[number].length
        inputs = inputs_of(search, [trials[(number + n) % len(trials)] for n in range(each)])
        if length == search.paper.fixed:
            continue  # itself
        misses = compared.misses([Run(data, length, trial) for data, trial in inputs])
        runs += len(misses)
        if any(misses.values()):
            failed = True
            search.inputs += inputs
            answers[number] = search.find()
    return None if failed else runs


def inputs_of(search: Search, trials: Sequence[int]) -> list[Input]:
    """Return a data length of the group for each trial, all over it."""
    data = search.group.data
    return [(data[trial * len(data) // len(trials) % len(data)], trial) for trial in trials]
