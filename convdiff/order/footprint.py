"""The taps of a filter that fall on the input: all of them inside, fewer at a border.

Of a transposed convolution they are those of a phase, since inputs lie a stride apart there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Footprint:
    """The taps that some outputs see: their indices along each axis of the filter, a box."""

    axes: tuple[tuple[int, ...], ...]

    def window(self, kernel: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the rows and columns that they have in a folded filter with these extents."""
        rows = [0]
        for extent, taps in zip(kernel[:-1], self.axes[:-1], strict=True):
            rows = [row * extent + index for row in rows for index in taps]
        return tuple(rows), self.axes[-1]

    def holds(self, other: Footprint) -> bool:
        """Return whether all taps of another footprint are among these."""
        pairs = zip(self.axes, other.axes, strict=True)
        return all(set(mine).issuperset(theirs) for mine, theirs in pairs)


def footprints(
    conv: Convolution, input_nhwc: tuple[int, int, int, int]
) -> list[tuple[Footprint, Array]]:
    """Return what the outputs see of an input, each with a mask of the (positions,) that see it.

    Those with the most taps stand first; one without any is that of outputs on padding alone.
    """
    seen_by = list(_footprints(conv, *input_nhwc[:3]))
    seen_by.sort(key=lambda pair: (-_size(pair[0]), int(pair[1].argmax())))
    return seen_by


def _footprints(
    conv: Convolution, batch: int, rows: int, length: int
) -> Iterator[tuple[Footprint, Array]]:
    kinds, numbers = [], []
    for axis, extent in zip(conv.axes, conv.extents(rows, length), strict=True):
        inside = np.ascontiguousarray(axis.sources(extent) >= 0)
        # Each row as one value: along an axis, `unique` takes each column for a field.
        values = inside.view(f"V{inside.shape[1]}")
        _, first, number = np.unique(values, return_index=True, return_inverse=True)
        kinds.append(inside[first])
        numbers.append(number.reshape(-1))
    shape = tuple(len(kind) for kind in kinds)
    grid = np.ravel_multi_index(np.meshgrid(*numbers, indexing="ij"), shape)
    positions = np.tile(grid.reshape(-1), batch)
    for number in np.unique(positions).tolist():
        index = np.unravel_index(number, shape)
        taps = (np.flatnonzero(kind[i]).tolist() for kind, i in zip(kinds, index, strict=True))
        yield Footprint(tuple(map(tuple, taps))), positions == number


def _size(footprint: Footprint) -> int:
    size = 1
    for taps in footprint.axes:
        size *= len(taps)
    return size
