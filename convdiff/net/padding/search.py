"""The smallest length that gives the fixed one's bits, for a group of data lengths.

Nothing is taken to be monotone: a length counts as safe once every input of the group had the
fixed length's bits at it, as unsafe once one had not, and as nothing where it was not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from convdiff.net.padding.paper import Group, Paper
from convdiff.net.padding.result import Miss, Run, Safe
from convdiff.net.padding.runs import Compared

BELOW = 2000
"""Lengths below an answer that are tried at most, evenly spread where there are more."""
Input = tuple[int, int]
"""(data length, trial)."""


@dataclass
class Search:
    """The search of one group; what was found stays when inputs are added and it goes on."""

    paper: Paper
    compared: Compared
    group: Group
    inputs: list[Input]
    """On all of which a safe length has the fixed one's bits."""
    below: int = BELOW
    _misses: dict[int, Miss] = field(default_factory=dict)
    _lead: int = -1
    """The input that is tried first: the last that missed."""

    def find(self) -> Safe:
        """Return the smallest length that is safe, of those tried. Raises UnansweredError."""
        length = next(filter(self._holds, self._rungs()), self.paper.fixed)
        between = self._between(length)
        some = spread(between, self.below)
        self._refute(some)
        length = next(filter(self._holds, some), length)
        below = tuple(self._misses[one] for one in sorted(self._misses) if one < length)
        untried = sum(one < length for one in between) - sum(one < length for one in some)
        return Safe(self.group, length, self.paper.positions(length), below, untried)

    def relapses(self, length: int) -> list[Miss]:
        """Return what the search saw differ at lengths above a safe one."""
        return [self._misses[one] for one in sorted(self._misses) if one > length]

    def run(self, length: int) -> Run:
        """Return the run of a length on the input that is tried first."""
        data, trial = self.inputs[self._lead]
        return Run(data, length, trial)

    def _rungs(self) -> Iterator[int]:
        """Yield the paper minimum, then the first length of each further count of positions."""
        before = 0
        for length in range(self.group.minimum, self.paper.fixed):
            count = self.paper.positions(length)
            if count > before and self.paper.enough(self.group.data[-1], length):
                yield length
                before = count

    def _between(self, length: int) -> list[int]:
        """Return the lengths below that nothing is known of."""
        longest = self.group.data[-1]
        lengths = (one for one in range(self.group.minimum, length) if one not in self._misses)
        return [one for one in lengths if self.paper.enough(longest, one)]

    def _holds(self, length: int) -> bool:
        """Tell whether all inputs have the fixed length's bits: first one, then the others."""
        self._refute([length])
        if length in self._misses:
            return False
        runs = [Run(data, length, trial) for data, trial in self.inputs]
        for number, miss in enumerate(self.compared.misses(runs).values()):
            if miss and length not in self._misses:
                self._misses[length], self._lead = miss, number
        return length not in self._misses

    def _refute(self, lengths: Sequence[int]) -> None:
        """Try lengths on the input that is tried first."""
        runs = [self.run(length) for length in lengths if length not in self._misses]
        misses = self.compared.misses(runs)
        self._misses |= {run.length: miss for run, miss in misses.items() if miss}


def spread(lengths: Sequence[int], most: int) -> list[int]:
    """Return at most so many, evenly, with the first and the last."""
    if len(lengths) <= most:
        return list(lengths)
    return [lengths[number * (len(lengths) - 1) // (most - 1)] for number in range(most)]
