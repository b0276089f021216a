"""How far a stage of work is, and how long the rest of it takes, by what its parts took so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from time import perf_counter

UNSEEN = 0.1
"""Of the cost that is left, the share of kinds of work of which none is done yet, up to which it is
said how long the rest takes."""


EVERY = 0.1
"""Seconds between two reckonings: thousands of works may be done in one."""


@dataclass(frozen=True)
class Work:
    """A part of a stage that is yet to be done."""

    cost: float = 1.0
    """In any unit from 1 on: what takes twice as long costs twice as much."""
    kind: Hashable = None
    """What it is that costs so: of another kind, a unit may take another time."""
    lane: Hashable = None
    """Lanes go side by side; the works of one follow each other."""


@dataclass
class _Spent:
    """What the works of a kind that are done cost and took; the first, which warms up, apart."""

    first: float
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Seconds a unit of cost."""
        return self.seconds / self.cost if self.cost else self.first


class Pace:
    """A stage's works, and how many of them are done."""

    def __init__(self, works: Sequence[Work], clock: Callable[[], float] = perf_counter) -> None:
        """Begin with them. clock: gives seconds."""
        self.done, self.of = 0, len(works)
        self._clock, self._start = clock, clock()
        self._last = self._start
        self._reckoned, self._end = -math.inf, math.nan
        self._spent: dict[Hashable, _Spent] = {}
        self._busy: dict[Hashable, float] = {}
        self._left: dict[tuple[Hashable, Hashable], float] = {}
        for work in works:
            self._leave(work, work.cost)

    def did(self, work: Work, seconds: float) -> None:
        """Note that a work is done, and took so long."""
        self.done, self._last = self.done + 1, self._clock()
        self._leave(work, -work.cost)
        self._busy[work.lane] = self._busy.get(work.lane, 0.0) + seconds
        if work.kind in self._spent:
            self._spent[work.kind].cost += work.cost
            self._spent[work.kind].seconds += seconds
        else:
            self._spent[work.kind] = _Spent(seconds / max(work.cost, 1.0))

    def left(self) -> float | None:
        """Return the seconds that the rest takes, about; None where too little is known of it.

        A lane's works take what their like took, and the slowest lane counts. All of it is as much
        slower as what is done was, beside the seconds that its lane took. What goes on for longer
        than was expected is no ground for another number.
        """
        now = self._clock()
        if now - self._reckoned >= EVERY:
            self._reckoned, self._end = now, self._last + self._reckon()
        return self._end - now if self._end > now else None

    def _reckon(self) -> float:
        """Return the seconds that were left when the last work was done; NaN where unknown."""
        cost = sum(self._left.values())
        unseen = sum(left for (_, kind), left in self._left.items() if kind not in self._spent)
        if not self._spent or unseen > UNSEEN * cost:
            return math.nan
        slowest = max(spent.rate for spent in self._spent.values())
        lanes: dict[Hashable, float] = {}
        for (lane, kind), left in self._left.items():
            rate = self._spent[kind].rate if kind in self._spent else slowest
            lanes[lane] = lanes.get(lane, 0.0) + left * rate
        busiest = max(self._busy.values())
        slower = max(1.0, (self._last - self._start) / busiest) if busiest else 1.0
        return max(lanes.values()) * slower

    def _leave(self, work: Work, cost: float) -> None:
        """Add to what is left of a work's like."""
        key = work.lane, work.kind
        self._left[key] = self._left.get(key, 0.0) + cost
