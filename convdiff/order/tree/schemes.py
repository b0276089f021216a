"""Schemes of summation: how kernels add n terms, whatever n is, as loops, lanes and rounds do.

A scheme says by arithmetic on indices which sum two terms meet in, without a tree; and it grows the
tree once it is wanted. Terms may be sums themselves: `sizes` is how many leaves each has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.tree.cuts import Cut

Sizes = int | Array
"""The leaves of each term; an integer n stands for n terms of one leaf."""

Join = Callable[[int, int, str], int]
"""Adds two nodes, the second onto the first, and returns their sum; told the kind of the step."""


class Scheme(Protocol):
    """A way to add any number of terms."""

    def under(self, i: Array, j: Array, sizes: Sizes) -> Array:
        """Return how many leaves lie under the first sum that holds both terms of each pair.

        Of a pair of one term with itself any number.
        """

    def grow(self, terms: Sequence[int], join: Join) -> int:
        """Add nodes; return the sum of all."""


def ends(sizes: Sizes) -> Array:
    """Return how many leaves the terms up to each one have; 0 comes first."""
    if isinstance(sizes, int):
        return np.arange(sizes + 1)
    return np.concatenate([[0], np.cumsum(sizes)])


def count(sizes: Sizes) -> int:
    """Return the number of terms."""
    return sizes if isinstance(sizes, int) else len(sizes)


@dataclass(frozen=True)
class Chain:
    """One after the other, from the first or from the last."""

    backwards: bool = False

    def under(self, i: Array, j: Array, sizes: Sizes) -> Array:
        """See `Scheme.under`."""
        upto = ends(sizes)
        if self.backwards:
            return np.asarray(upto[-1] - upto[np.minimum(i, j)])
        return np.asarray(upto[np.maximum(i, j) + 1])

    def grow(self, terms: Sequence[int], join: Join) -> int:
        """See `Scheme.grow`."""
        first, *rest = reversed(terms) if self.backwards else terms
        total = first
        for term in rest:
            total = join(total, term, "chain")
        return total


@dataclass(frozen=True)
class Rounds:
    """Pairwise in rounds: neighbours, then sums of neighbours; one left over waits for its round.

    bits: of up to 2**k terms, the bit of their indices in which partners differ, round by round;
    empty means neighbours first, (2, 1, 0) halves first.
    """

    bits: tuple[int, ...] = ()

    def under(self, i: Array, j: Array, sizes: Sizes) -> Array:
        """See `Scheme.under`."""
        order = self._order(count(sizes))
        upto = ends(sizes if isinstance(sizes, int) else sizes[order])
        rank = np.argsort(order)
        i, j = rank[i], rank[j]
        rounds = np.ceil(np.log2((i ^ j) + 1)).astype(np.int64)
        first = (i >> rounds) << rounds
        return np.asarray(upto[np.minimum(first + (1 << rounds), len(rank))] - upto[first])

    def grow(self, terms: Sequence[int], join: Join) -> int:
        """See `Scheme.grow`."""
        nodes: list[int] = [terms[k] for k in self._order(len(terms)).tolist()]
        while len(nodes) > 1:
            pairs = zip(nodes[::2], nodes[1::2], strict=False)
            left = nodes[-1:] if len(nodes) % 2 else []
            nodes = [join(one, other, "pair") for one, other in pairs] + left
        return nodes[0]

    def _order(self, terms: int) -> Array:
        """Return the terms so that partners of the first round are neighbours."""
        index = np.arange(terms)
        if not self.bits:
            return index
        moved = [((index >> bit) & 1) << k for k, bit in enumerate(self.bits)]
        return np.asarray(np.argsort(np.sum(moved, axis=0)))


@dataclass(frozen=True)
class Halves:
    """Split in the middle, and each half again: the recursive pairwise sum."""

    def under(self, i: Array, j: Array, sizes: Sizes) -> Array:
        """See `Scheme.under`."""
        upto = ends(sizes)
        low, high = np.zeros_like(i), np.full_like(i, count(sizes))
        while True:
            middle = low + (high - low) // 2
            left, right = np.maximum(i, j) < middle, np.minimum(i, j) >= middle
            if not ((left | right) & (i != j)).any():
                return np.asarray(upto[high] - upto[low])
            high, low = np.where(left, middle, high), np.where(right, middle, low)

    def grow(self, terms: Sequence[int], join: Join) -> int:
        """See `Scheme.grow`."""
        if len(terms) == 1:
            return terms[0]
        middle = len(terms) // 2
        return join(self.grow(terms[:middle], join), self.grow(terms[middle:], join), "pair")


@dataclass(frozen=True)
class Lanes:
    """Every width-th group of terms in one lane, a chain; the lanes are added by `across`.

    ahead: terms before the lanes begin, which the first lane starts with. group: terms in a row
    that share a lane.
    """

    width: int
    ahead: int = 0
    across: Scheme = field(default_factory=Rounds)
    group: int = 1

    def lane(self, index: Array) -> Array:
        """Return the lane of each term."""
        return np.asarray(np.maximum(index - self.ahead, 0) // self.group % self.width)

    def under(self, i: Array, j: Array, sizes: Sizes) -> Array:
        """See `Scheme.under`."""
        own, other = self.lane(i), self.lane(j)
        if isinstance(sizes, int):
            within = np.maximum(self._place(i), self._place(j)) + 1
            lanes = self._lengths(sizes)
        else:
            of = self.lane(np.arange(len(sizes)))
            held = np.where(of == own[:, None], sizes, 0)
            last = np.maximum(i, j)[:, None]
            within = held.sum(axis=1, where=np.arange(len(sizes)) <= last)
            lanes = np.bincount(of, sizes).astype(np.int64)
        return np.where(own == other, within, self.across.under(own, other, lanes))

    def _place(self, index: Array) -> Array:
        """Return which term of its lane each term is."""
        turns, within = np.divmod(np.maximum(index - self.ahead, 0), self.width * self.group)
        rank = turns * self.group + within % self.group
        rank += np.where(self.lane(index) == 0, np.minimum(index, self.ahead), 0)
        return np.asarray(rank)

    def _lengths(self, terms: int) -> Array:
        """Return how many terms each lane has that has any."""
        turns, left = divmod(max(terms - self.ahead, 0), self.width * self.group)
        first = np.arange(self.width) * self.group
        lengths = turns * self.group + np.clip(left - first, 0, self.group)
        lengths[0] += min(terms, self.ahead)
        return np.asarray(lengths[lengths > 0])

    def grow(self, terms: Sequence[int], join: Join) -> int:
        """See `Scheme.grow`."""
        lanes: list[list[int]] = [[] for _ in range(self.width)]
        for term, lane in zip(terms, self.lane(np.arange(len(terms))).tolist(), strict=True):
            lanes[lane].append(term)
        chains = [Chain().grow(lane, join) for lane in lanes if lane]
        return self.across.grow(chains, _across(join))


@dataclass(frozen=True)
class Blocks:
    """Terms cut into blocks of neighbours, each added by `inside`, the blocks by `across`."""

    cut: Cut
    inside: Scheme = field(default_factory=Chain)
    across: Scheme = field(default_factory=Chain)

    def under(self, i: Array, j: Array, sizes: Sizes) -> Array:
        """See `Scheme.under`."""
        starts = self.cut.starts(count(sizes))
        own, other = (np.searchsorted(starts, k, "right") - 1 for k in (i, j))
        bounds = np.append(starts, count(sizes))
        met = self.across.under(own, other, np.diff(ends(sizes)[bounds]))
        same = own == other
        keys = bounds[own + 1] - bounds[own] if isinstance(sizes, int) else own
        for key in np.unique(keys[same]).tolist():
            at = same & (keys == key)
            block = key if isinstance(sizes, int) else sizes[bounds[key] : bounds[key + 1]]
            first = bounds[own[at]]
            met[at] = self.inside.under(i[at] - first, j[at] - first, block)
        return met

    def grow(self, terms: Sequence[int], join: Join) -> int:
        """See `Scheme.grow`."""
        bounds = [*self.cut.starts(len(terms)).tolist(), len(terms)]
        blocks = [terms[a:b] for a, b in pairwise(bounds)]
        sums = [self.inside.grow(block, join) for block in blocks]
        return self.across.grow(sums, _across(join))


def _across(join: Join) -> Join:
    """Return a way to add blocks or lanes: of its steps all are of one kind."""
    return lambda one, other, _: join(one, other, "across")
