"""How large a difference is in one activation, and what its layer makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.compare.difference import Difference, measure
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.net import Layer
from convdiff.worker.ops.net_shapes import moves, spatial

WORST = 4
"""Elements that are kept of each activation."""


@dataclass(frozen=True)
class Growth:
    """The difference of two activations of one layer."""

    difference: Difference
    relative: float
    """‖Δ‖₂ / (u·‖y‖₂) of what is compared: the size of the difference in roundings of the whole."""
    amplification: float | None = None
    """`relative` in units of the largest of what the layer reads; None where that is equal."""
    jumps: int = 0
    """Elements that are decided otherwise on the two sides: see `JUMPS`."""


@np.errstate(all="ignore")
def growth(a: Array, b: Array, *, strict: bool) -> Growth:
    """Measure two activations, NHWC, of one shape and dtype."""
    difference = measure(a, b, strict, WORST)
    delta = size = 0.0
    if difference.differing:
        for block in blocks(a.shape):
            x, y = a[block].astype(np.float64), b[block].astype(np.float64)
            finite = np.isfinite(x) & np.isfinite(y)
            delta += float(np.sum((y - x) ** 2, where=finite))
            size += float(np.sum(x * x, where=finite))
    relative = np.sqrt(delta / size) / format_of(a).unit_roundoff if size else 0.0
    return Growth(difference, float(relative))


Pair = tuple[Array, Array]


def _of_outputs(bounds: Callable[[Layer], Sequence[float]]) -> Callable[[Layer, Pair, Pair], int]:
    """Return what counts the outputs that lie on a bound on one side only."""

    def count(layer: Layer, inputs: Pair, outputs: Pair) -> int:
        unlike = np.zeros(outputs[0].shape, bool)
        for bound in bounds(layer):
            unlike |= (outputs[0] == bound) != (outputs[1] == bound)
        return int(np.count_nonzero(unlike))

    return count


def _other_maximum(layer: Layer, inputs: Pair, outputs: Pair) -> int:
    """Count the windows whose first largest element is another on each side."""
    one, other = (winners(layer, side) for side in inputs)
    common = tuple(map(min, one.shape, other.shape))
    box = tuple(slice(extent) for extent in common)
    return int(np.count_nonzero(one[box] != other[box]))


def winners(layer: Layer, x: Array) -> Array:
    """Return which tap of each window of a pool is the largest, the first of several; int64.

    x: (N, rows, length, C). Returns (N, …, C) with an axis for each of the pool's size.
    """
    axes = layer.axes
    extents = spatial((1, *x.shape[1:]), len(axes))
    given = x.reshape(x.shape[0], *extents, x.shape[3])
    moving = zip(moves(layer, (1, *x.shape[1:])), extents, strict=True)
    tables = [axis.sources(extent) for axis, extent in moving]
    best: Array | None = None
    chosen = np.zeros(0, np.int64)
    for number, taps in enumerate(np.ndindex(*[axis.kernel for axis in axes])):
        at = [table[:, tap] for table, tap in zip(tables, taps, strict=True)]
        part = given[np.ix_(range(len(given)), *at, range(given.shape[-1]))].astype(np.float64)
        for axis, positions in enumerate(at, 1):
            outside = [slice(None)] * part.ndim
            outside[axis] = positions < 0
            part[tuple(outside)] = -np.inf
        if best is None:
            best, chosen = part, np.zeros(part.shape, np.int64)
        larger = part > best
        best, chosen = np.where(larger, part, best), np.where(larger, number, chosen)
    return chosen


@dataclass(frozen=True)
class Jump:
    """A layer that decides, and so may make much of a small difference."""

    words: str
    """What is counted: {count} of them."""
    count: Callable[[Layer, Pair, Pair], int]
    """Of the layer, what it reads first on both sides, and its two outputs."""
    reads: bool = False
    """Whether it needs what the layer reads."""


JUMPS: Mapping[str, Jump] = {
    "relu": Jump("{count} clipped on one side only", _of_outputs(lambda _: (0.0,))),
    "relu6": Jump("{count} clipped on one side only", _of_outputs(lambda _: (0.0, 6.0))),
    "clip": Jump(
        "{count} clipped on one side only",
        _of_outputs(lambda layer: (layer.settings["low"], layer.settings["high"])),
    ),
    "max_pool": Jump("{count} windows with another maximum", _other_maximum, reads=True),
}
