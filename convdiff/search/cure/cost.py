"""What another way to run a cell costs: its time relative to today's, with an interval."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.lab.pool import Pool
from convdiff.plan.cell import Cell, NoBits

LEAST_ROUNDS = 6
"""Below, no interval of order statistics holds the median with 95 %: 2 · ½⁵ > 5 %."""
CONFIDENCE = 0.95
LONG_ENOUGH = 0.005
"""Seconds that a turn is to take, so that a clock's steps are nothing to it."""
MOST_CALLS = 200
"""Of a turn."""
WARM_UP = 0.2
"""Seconds of calls before anything is measured, of each way: caches, threads and clocks settle."""
SETTLING = 0.02
"""Seconds between two turns, in which the threads of the one before fall asleep."""


@dataclass(frozen=True)
class Cost:
    """How many times as long another way takes: the median of rounds, and where it lies."""

    median: float
    low: float
    high: float
    """With `low`: where the median lies, with 95 % or a little more."""
    rounds: int


@dataclass(frozen=True)
class Way:
    """One way to run a cell, in a worker that stays open."""

    pool: Pool
    case: Case
    tensors: Tensors
    cell: Cell

    def seconds(self, calls: int) -> Sequence[float] | NoBits:
        """Return what each of so many calls takes, beside the framework: without the pipe."""
        own = self.tensors.upto(self.cell.batch, self.cell.length)
        conv = self.cell.conv_of(self.case.conv)
        own = own.first(conv)
        more = {"bias": own.bias, "added": own.added if conv.then == "add" else None}
        named = {name: array for name, array in more.items() if array is not None}
        header = {
            "do": "time",
            "conv": conv._asdict(),
            "op": self.cell.op,
            "device": str(self.cell.runtime.device),
            "calls": calls,
            "has": list(named),
        }
        arrays = [own.input_nhwc, own.filter_hwio, *named.values()]
        answers = self.pool.ask(self.cell.runtime.interpreter, header, arrays)
        return answers if isinstance(answers, NoBits) else list(map(float, answers[0]))


def relative_cost(today: Way, other: Way, rounds: int) -> Cost | NoBits:
    """Return how many times as long `other` takes as `today`; NoBits where one does not run.

    Each round is today, other, other, today, so that what drifts alike through a round (a clock
    that slows down, a neighbour that comes) falls on both; its ratio is that of both sums. Raises
    ValueError for fewer than `LEAST_ROUNDS`.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"at least {LEAST_ROUNDS} rounds give an interval")
    turns = []
    for way in (today, other):
        turn = _turn(way)
        if isinstance(turn, NoBits):
            return turn
        turns.append(turn)
    try:
        return cost_of([_ratio(*turns) for _ in range(rounds)])
    except _EndedError as ended:
        return ended.reason


def cost_of(ratios: Sequence[float]) -> Cost:
    """Return the median of some rounds' ratios with its interval.

    The interval is that of order statistics, which takes no distribution for granted: of n
    independent values in order, the median lies between the k-th from below and the k-th from above
    unless fewer than k lie on one of its sides, with a probability of 2 · P(Bin(n, ½) < k).
    Source: H. A. David, H. N. Nagaraja, "Order Statistics", 3rd edition, 2003, section 7.1.
    """
    ordered, rank = sorted(ratios), _place(len(ratios))
    return Cost(median(ordered), ordered[rank - 1], ordered[-rank], len(ordered))


def _place(count: int) -> int:
    """Return the largest k whose interval holds the median with `CONFIDENCE`."""
    beyond, k = 1, 0
    while 2 * beyond <= (1 - CONFIDENCE) * 2**count:
        k += 1
        beyond += math.comb(count, k)
    if not k:
        raise ValueError(f"{count} rounds give no interval")
    return k


class _EndedError(Exception):
    """A way runs no more."""

    def __init__(self, reason: NoBits) -> None:
        super().__init__(reason.reason)
        self.reason = reason


def _turn(way: Way) -> Callable[[], float] | NoBits:
    """Warm a way up, and return what runs a turn of it and gives the seconds of a call."""
    spent, calls = 0.0, 2
    while True:
        seconds = way.seconds(calls)
        if isinstance(seconds, NoBits):
            return seconds
        spent, each = spent + sum(seconds), median(seconds[1:])
        calls = min(MOST_CALLS, max(2, math.ceil(LONG_ENOUGH / max(each, 1e-9)) + 1))
        if spent >= WARM_UP:
            return lambda: _seconds(way, calls)


def _seconds(way: Way, calls: int) -> float:
    """Return the seconds of a call: the median of a turn, less its first one, which wakes it up."""
    time.sleep(SETTLING)
    seconds = way.seconds(calls)
    if isinstance(seconds, NoBits):
        raise _EndedError(seconds)
    return median(seconds[1:])


def _ratio(today: Callable[[], float], other: Callable[[], float]) -> float:
    first, second, third, last = today(), other(), other(), today()
    return (second + third) / (first + last)
