"""In which loops a kernel may walk over the taps of a filter: the rows that schemes then add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.tree.cuts import At, Every
from convdiff.order.tree.schemes import Blocks, Chain, Scheme

#: Sides of the windows by which XLA reduces axes that are longer (`TreeReductionRewriter`).
_WINDOWS = (32, 16, 64)


@dataclass(frozen=True, eq=False)
class Walk:
    """The taps in the order in which they are walked over, and the schemes that go with it.

    schemes: empty where any may.
    """

    taps: Array
    schemes: tuple[Scheme, ...] = ()

    @cached_property
    def place(self) -> Array:
        """When each tap comes."""
        inverse = np.empty_like(self.taps)
        inverse[self.taps] = np.arange(len(self.taps))
        return inverse


def walks(kernel: tuple[int, int, int]) -> Iterator[Walk]:
    """Yield loop orders of a (kh, kw, cin) filter, memory's own first."""
    index = np.arange(np.prod(kernel)).reshape(kernel)
    known = set()
    for axes in permutations(range(3)):
        order = tuple(axis for axis in axes if kernel[axis] > 1)
        if order not in known:
            known.add(order)
            yield Walk(index.transpose(axes).ravel())
    yield from _windows(index)
    yield from _channel_blocks(index)


def _channel_blocks(index: Array) -> Iterator[Walk]:
    """Yield walks over blocks of channels, each with all its taps before the next begins."""
    kh, kw, channels = index.shape
    if kh * kw == 1:
        return
    for size in range(2, channels):
        parts = [index[:, :, k : k + size].ravel() for k in range(0, channels, size)]
        taps = kh * kw * size
        yield Walk(np.concatenate(parts), (Chain(), Blocks(Every(taps))))


def _windows(index: Array) -> Iterator[Walk]:
    """Yield walks over windows that tile both kh and kw, padded alike at both ends."""
    kh, kw, _ = index.shape
    for size in _WINDOWS:
        if min(kh, kw) <= size:
            continue
        rows, columns = Every(size, 1).starts(kh)[1:], Every(size, 1).starts(kw)[1:]
        tiles: list[Array] = []
        for band in np.split(index, rows, axis=0):
            tiles += map(np.ravel, np.split(band, columns, axis=1))
        bounds = np.cumsum([0] + [len(tile) for tile in tiles])[:-1]
        cut = At(tuple(bounds.tolist()))
        by_rows = Blocks(Every(len(columns) + 1))
        schemes = Blocks(cut, Chain(), by_rows), Blocks(cut, Chain(), Chain())
        yield Walk(np.concatenate(tiles), schemes)
