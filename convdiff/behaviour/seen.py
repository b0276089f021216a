"""Which taps outputs see: where there is padding, or a transposed convolution, not all see all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

Shape = tuple[int, ...]
"""NHWC of an input."""


def sources(conv: Convolution, shape: Shape) -> list[Array]:
    """Return for each spatial axis which input its outputs read at each tap, or −1."""
    extents = conv.extents(*shape[1:3])
    return [axis.sources(extent) for axis, extent in zip(conv.axes, extents, strict=True)]


def seen_taps(conv: Convolution, shape: Shape) -> Array:
    """Return the taps that some output sees, flat in (kh, kw, cin) order; all if none is."""
    return _flat(conv, [np.asarray((read >= 0).any(axis=0)) for read in sources(conv, shape)])


def fullest(conv: Convolution, shape: Shape) -> list[Array]:
    """Return which input each tap of an output reads, or −1, by axis: of one that sees the most."""
    tables = sources(conv, shape)
    return [read[np.argmax((read >= 0).sum(axis=1))] for read in tables]


def taps_together(conv: Convolution, shape: Shape) -> Array:
    """Return the taps of the output that sees the most, as `seen_taps` does."""
    return _flat(conv, [read >= 0 for read in fullest(conv, shape)])


def outputs_of_tap(conv: Convolution, shape: Shape) -> int:
    """Return how many outputs see a tap on the average, of those taps that are seen; 1 at least."""
    count = shape[0] * conv.channels_out
    reads = [read >= 0 for read in sources(conv, shape)]
    pairs = math.prod(int(one.sum()) for one in reads)
    taps = math.prod(int(one.any(axis=0).sum()) for one in reads)
    return max(1, count * pairs // max(1, taps))


def blind(conv: Convolution, shape: Shape) -> Array:
    """Mask the output positions, (OH, OW), that see nothing but padding."""
    covered = reduce(
        np.logical_and.outer, [(read >= 0).any(axis=1) for read in sources(conv, shape)]
    )
    return np.asarray(~covered.reshape(conv.output_shape(*shape[:3])[1:3]))


def _flat(conv: Convolution, by_axis: Sequence[Array]) -> Array:
    """Return the flat taps whose place is set along each axis."""
    places = reduce(np.logical_and.outer, by_axis).ravel()
    taps = np.flatnonzero(np.repeat(places, conv.channels_in // conv.groups))
    return taps if len(taps) else np.arange(conv.taps)
