"""Where kernels cut a row of n terms into blocks, by arithmetic: no block is listed to find one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from convdiff.numerics.array import Array


class Cut(Protocol):
    """A rule where to cut any number of terms."""

    def block(self, index: Array, terms: Array) -> tuple[Array, Array]:
        """Return where the block of each term starts and where it stops, of `terms` in all."""

    def starts(self, terms: int) -> Array:
        """Return where each block starts."""


def starts_of(cut: Cut, terms: int) -> Array:
    """Return where each block of a cut starts, from what `Cut.block` says of each term."""
    index = np.arange(terms)
    return np.unique(cut.block(index, np.full_like(index, terms))[0])


@dataclass(frozen=True)
class Every:
    """Blocks of one size, of which some terms are missing: in the last block unless told otherwise.

    halves: how many halves of what is missing are in the first block: 0, 1 (XLA's reduction by
    windows, which pads alike at both ends) or 2.
    """

    size: int | Array
    halves: int = 0

    def block(self, index: Array, terms: Array) -> tuple[Array, Array]:
        """See `Cut.block`."""
        missing = -terms % self.size * self.halves // 2 if self.halves else 0
        start = (index + missing) // self.size * self.size - missing
        return np.maximum(start, 0), np.minimum(start + self.size, terms)

    def starts(self, terms: int) -> Array:
        """See `Cut.starts`."""
        size = int(self.size)
        missing = -terms % size * self.halves // 2
        starts: Array = np.maximum(np.arange(-missing, terms, size), 0)
        return starts


@dataclass(frozen=True)
class At:
    """Blocks of one certain row that start where they are said to."""

    bounds: tuple[int, ...]

    def block(self, index: Array, terms: Array) -> tuple[Array, Array]:
        """See `Cut.block`."""
        bounds = np.append(self.bounds, terms.max())
        k = np.searchsorted(bounds, index, "right")
        return bounds[k - 1], bounds[k]

    def starts(self, terms: int) -> Array:
        """See `Cut.starts`."""
        return np.array(self.bounds)


@dataclass(frozen=True)
class Even:
    """As few blocks as `most` terms a block allow, about equally deep: Eigen's panels.

    Rows of unlike numbers of terms are cut into blocks of unlike depths, all multiples of 8.
    """

    most: int | Array

    def depth(self, terms: Array) -> Array:
        """Return the depth of all blocks but the last."""
        panels = -(-terms // self.most)
        return np.minimum(-(-(terms // panels) // 8) * 8, terms)

    def block(self, index: Array, terms: Array) -> tuple[Array, Array]:
        """See `Cut.block`."""
        return Every(self.depth(terms)).block(index, terms)

    def starts(self, terms: int) -> Array:
        """See `Cut.starts`."""
        return starts_of(self, terms)


@dataclass(frozen=True)
class Panels:
    """The depths of a matrix product as TensorFlow and XLA cut it: panels, and loops in each.

    most: the depth that the cache allows; the panels are `Even`. A panel is cut into a multiple of
    16 terms, then 8, 4, 2 and 1.
    """

    most: int | Array

    def block(self, index: Array, terms: Array) -> tuple[Array, Array]:
        """See `Cut.block`."""
        start, stop = Even(self.most).block(index, terms)
        left = stop - start
        for size, most in ((16, terms), (8, 8), (4, 4), (2, 2), (1, 1)):
            whole = np.minimum(left // size * size, most)
            within = (index >= start) & (index < start + whole)
            stop = np.where(within, start + whole, stop)
            past = index >= start + whole
            start, left = np.where(past, start + whole, start), np.where(past, left - whole, 0)
        return start, stop

    def starts(self, terms: int) -> Array:
        """See `Cut.starts`."""
        return starts_of(self, terms)


@dataclass(frozen=True)
class Whole:
    """What lanes of one width hold in whole steps, after `ahead` terms; then the rest.

    singly: whether the rest are blocks of one term each, not one block.
    """

    width: int
    ahead: int = 0
    singly: bool = True

    def block(self, index: Array, terms: Array) -> tuple[Array, Array]:
        """See `Cut.block`."""
        steps = np.maximum(terms - self.ahead, 0) // self.width
        whole = np.minimum(self.ahead + steps * self.width, terms)
        rest = index >= whole
        after = np.where(rest, index if self.singly else whole, 0)
        stop = np.where(rest, index + 1 if self.singly else terms, whole)
        return after, stop

    def starts(self, terms: int) -> Array:
        """See `Cut.starts`."""
        return starts_of(self, terms)
