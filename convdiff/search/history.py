"""Where along a line of things an answer changes: by halves, or by asking all of them.

What is on the line is a release, a size or a setting; its state is what it shows, and None where it
could not be tried.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)
State = Hashable


@dataclass(frozen=True)
class Change(Generic[T]):
    """Two neighbours with other states; where some between could not be tried, a range."""

    last: T
    first: T
    before: State
    after: State
    skipped: tuple[T, ...] = ()
    """Between the two, and not to be tried."""
    untried: tuple[T, ...] = ()
    """Between the two, and not asked: the change is at one of them, or there are several."""

    @property
    def is_exact(self) -> bool:
        """Whether nothing lies between the two."""
        return not self.skipped and not self.untried


@dataclass(frozen=True)
class History(Generic[T]):
    """What was found on a line."""

    line: tuple[T, ...]
    states: tuple[tuple[T, State], ...]
    """Of those that were tried, in the line's order."""
    skipped: tuple[T, ...]
    """Those that could not be tried."""
    changes: tuple[Change[T], ...]

    @property
    def untried(self) -> tuple[T, ...]:
        """Those that nobody asked."""
        asked = {one for one, _ in self.states} | set(self.skipped)
        return tuple(one for one in self.line if one not in asked)

    @property
    def is_monotone(self) -> bool:
        """Whether what was tried is one state up to a place, and one other from there on."""
        return len(self.changes) < 2


class Asked(Generic[T]):
    """Asks each one once."""

    def __init__(self, line: Sequence[T], state_of: Callable[[T], State | None]) -> None:
        self.line, self._state_of = tuple(line), state_of
        self._states: dict[T, State | None] = {}

    def state(self, one: T) -> State | None:
        """Return what one shows; None where it could not be tried."""
        if one not in self._states:
            self._states[one] = self._state_of(one)
        return self._states[one]

    def history(self) -> History[T]:
        """Return what was found, with the changes between neighbours that were tried."""
        states, skipped = list[tuple[T, State]](), list[T]()
        for one in self.line:
            state = self._states.get(one)
            if state is not None:
                states.append((one, state))
            elif one in self._states:
                skipped.append(one)
        changes = []
        for (last, before), (first, after) in pairwise(states):
            if before != after:
                between = self._between(last, first)
                changes.append(Change(last, first, before, after, *between))
        return History(self.line, tuple(states), tuple(skipped), tuple(changes))

    def _between(self, last: T, first: T) -> tuple[tuple[T, ...], tuple[T, ...]]:
        """Return what lies between two neighbours that were tried: what can't be, what was not."""
        inside = self.line[self.line.index(last) + 1 : self.line.index(first)]
        skipped = tuple(one for one in inside if one in self._states)
        return skipped, tuple(one for one in inside if one not in self._states)


def scan(line: Sequence[T], state_of: Callable[[T], State | None]) -> History[T]:
    """Ask all, in order: finds every change."""
    asked = Asked(line, state_of)
    for one in line:
        asked.state(one)
    return asked.history()


def bisect(
    line: Sequence[T], state_of: Callable[[T], State | None], *, from_last: bool = False
) -> History[T]:
    """Ask both ends, then the middle of what is left between two states, to one change.

    Where the ends agree nothing between is asked; where there are several changes one is found. One
    that can't be tried is passed by, its nearest neighbour first. A state that is neither end's is
    unlike the first's, and with `from_last` unlike the last's.
    """
    asked = Asked(line, state_of)
    low, high = _first(line, asked), _first(line[::-1], asked)
    if low is None or high is None or asked.state(low) == asked.state(high):
        return asked.history()
    left, right = line.index(low), line.index(high)
    known = asked.state(high if from_last else low)
    while True:
        middle = _nearest(line, left, right, asked)
        if middle is None:
            return asked.history()
        if (asked.state(line[middle]) == known) is from_last:
            right = middle
        else:
            left = middle


def most_asked(count: int) -> int:
    """Return how many of a line halves ask at most, where all can be tried: ends, then middles."""
    return min(count, 2 + max(0, count - 2).bit_length())


def _first(line: Sequence[T], asked: Asked[T]) -> T | None:
    """Return the first of a line that can be tried."""
    return next((one for one in line if asked.state(one) is not None), None)


def _nearest(line: Sequence[T], left: int, right: int, asked: Asked[T]) -> int | None:
    """Return the place nearest to the middle, between two, of one that can be tried."""
    middle = (left + right) / 2
    for at in sorted(range(left + 1, right), key=lambda at: abs(at - middle)):
        if asked.state(line[at]) is not None:
            return at
    return None
