"""Delta debugging: the smallest thing that still shows what the first one does.

Greedy, as A. Zeller and R. Hildebrandt's ddmin is ("Simplifying and isolating failure-inducing
input", IEEE TSE 28(2), 2002): a smaller thing that still shows it takes the place of the larger,
until no single step does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Generic, TypeVar

T = TypeVar("T")

Moves = Callable[[T], Iterable[T]]
"""Smaller things than one, the boldest first; what is smaller can't come round again."""


@dataclass(frozen=True)
class Reduced(Generic[T]):
    """What is left, and how it was found."""

    least: T
    tried: int
    """How often something was asked whether it still shows it."""
    is_minimal: bool
    """No single step is left untried; else the runs ran out, or it was stopped."""


def reduce(
    start: T,
    moves: Moves[T],
    key: Callable[[T], object],
    shows: Callable[[T], bool | None],
    most: int,
) -> Reduced[T]:
    """Return the least thing that `shows` what `start` does; nothing is tried twice.

    After a step that was taken it goes on with the next one, and begins anew until none is taken.
    key: tells things apart. shows: None ends the search. most: how often it is asked.
    """
    least, tried = start, {key(start)}
    again = True
    while again:
        again, number = False, 0
        while True:
            smaller = next(islice(moves(least), number, None), None)
            if smaller is None:
                break
            number += 1
            if key(smaller) in tried:
                continue
            if len(tried) > most:
                return Reduced(least, most, is_minimal=False)
            tried.add(key(smaller))
            answer = shows(smaller)
            if answer is None:
                return Reduced(least, len(tried) - 1, is_minimal=False)
            if answer:
                least, again, number = smaller, True, number - 1
    return Reduced(least, len(tried) - 1, is_minimal=True)


def parts(count: int) -> Iterator[tuple[int, ...]]:
    """Yield what may be left of so many things: halves, then all but ever smaller pieces."""
    every = tuple(range(count))
    pieces = 2
    while pieces <= count:
        edges = [count * i // pieces for i in range(pieces + 1)]
        between = list(pairwise(edges))
        if pieces > 2:
            yield from (every[:start] + every[stop:] for start, stop in between)
        else:
            yield from (every[start:stop] for start, stop in between)
        pieces = count if pieces < count < 2 * pieces else 2 * pieces
