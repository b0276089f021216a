"""The smallest length that gives the fixed one's bits, for a group of data lengths.

Nothing is taken to be monotone: a length counts as safe once every input of the group had the
fixed length's bits at it, as unsafe once one had not, and as nothing where it was not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from convdiff.net.padding.paper import Group, Paper
from convdiff.net.padding.result import Miss, Run, Safe
from convdiff.net.padding.runs import Compared

BELOW, BELOW_COMPILED = 2000, 128
"""Lengths below an answer that are tried at most at a time, evenly where there are more; and where
a runtime compiles for each."""
EARLY = 4
"""Inputs that all of those lengths meet before each meets all of them."""
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
    beside: Sequence[Search] = ()
    """Searches that try each length when this one does: runtimes build something for each."""
    _misses: dict[int, Miss] = field(default_factory=dict)
    _lead: int = -1
    """The input that is tried first: the last that missed."""

    def find(self) -> Safe:
        """Return the smallest length that is safe, of those tried. Raises UnansweredError.

        All are tried between the last that misses and it, however many they are.
        """
        rungs = self.paper.rungs(self.group.data[-1], self.group.minimum)
        length = next(filter(self._holds, rungs), self.paper.fixed)
        between = left = self._between(length)
        while left:
            some = thinned(left, self.below)
            for count in (1, EARLY):
                self._try(self._left(some), self._ordered[:count])
            length = next(filter(self._holds, some), length)
            tried = max((one for one in (*some, *self._misses) if one < length), default=0)
            left = [one for one in between if tried < one < length]
            between = [one for one in between if one not in some]
        below = tuple(self._misses[one] for one in sorted(self._misses) if one < length)
        untried = sum(one < length for one in between)
        return Safe(self.group, length, self.paper.positions(length), below, untried)

    @property
    def is_open(self) -> bool:
        """Whether an input misses at the paper minimum, so that longer ones are tried."""
        minimum = self.group.minimum
        if minimum < self.paper.fixed:
            self._try([minimum], self._ordered[:1])
        return minimum in self._misses

    def relapses(self, length: int) -> list[Miss]:
        """Return what the search saw differ at lengths above a safe one."""
        return [self._misses[one] for one in sorted(self._misses) if one > length]

    def meets(self, length: int) -> bool:
        """Tell whether a length is enough on paper."""
        return length >= self.group.minimum and self.paper.enough(self.group.data[-1], length)

    def run(self, length: int) -> Run:
        """Return the run of a length on the input that is tried first."""
        data, trial = self.inputs[self._lead]
        return Run(data, length, trial)

    def first_runs(self, lengths: Sequence[int]) -> list[Run]:
        """Return the runs of those lengths that are enough, on the input that is tried first."""
        return [self.run(length) for length in lengths if self.meets(length)]

    def _between(self, length: int) -> list[int]:
        """Return the lengths below that nothing is known of."""
        return [one for one in self._left(range(self.group.minimum, length)) if self.meets(one)]

    @property
    def _ordered(self) -> list[Input]:
        """All inputs, first the one that missed last."""
        return [self.inputs[self._lead], *self.inputs[::-1]]

    def _holds(self, length: int) -> bool:
        """Tell whether all inputs have the fixed length's bits, by more and more of them."""
        count = 1
        while self._left([length]) and count < 2 * len(self._ordered):
            self._try([length], self._ordered[:count])
            count *= 2
        return bool(self._left([length]))

    def _left(self, lengths: Sequence[int]) -> list[int]:
        return [length for length in lengths if length not in self._misses]

    def _try(self, lengths: Sequence[int], inputs: Sequence[Input]) -> None:
        """Keep the first miss of each length on these inputs."""
        runs = [Run(data, length, trial) for length in lengths for data, trial in inputs]
        asked = list(runs)
        for other in self.beside:
            asked += other.first_runs(lengths)
        misses = self.compared.misses(sorted(asked, key=lambda run: run.length))
        for run in runs:
            miss = misses[run]
            if miss and run.length not in self._misses:
                self._misses[run.length] = miss
                self._lead = self.inputs.index((run.data, run.trial))


def spread(lengths: Sequence[int], most: int) -> list[int]:
    """Return at most so many, evenly, with the first and the last."""
    if len(lengths) <= most:
        return list(lengths)
    return [lengths[number * (len(lengths) - 1) // (most - 1)] for number in range(most)]


def thinned(lengths: Sequence[int], most: int) -> list[int]:
    """Return at most so many, evenly, and mostly those that are taken of others around them."""
    step = 1
    while len({one // step for one in lengths}) > most:
        step *= 2
    return list({one // step: one for one in lengths}.values())
