"""How large the terms of some outputs are, where there are too many to look at all of them."""

from __future__ import annotations

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import Scales
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block
from convdiff.worker.ops.conv2d import Convolution

TABLE_INPUTS = 1 << 15
"""Inputs copied at once, so that they stay in the cache …"""

FEWEST_OUTPUTS = 64
"""… unless that is too few outputs for a fast matrix product."""


class TermScales:
    """One convolution's filter and input, laid out to make A and L2 position by position.

    All channels of a position are made at once: its field, one column of a matrix, times the
    filter.
    """

    def __init__(self, conv: Convolution, tensors: Tensors) -> None:
        self._channels = conv.channels_out
        contiguous = np.ascontiguousarray(tensors.input_nhwc)
        view = conv.windows(contiguous)
        self._input = contiguous.reshape(-1)
        strides = np.array(view.strides) // view.itemsize
        self._steps = strides[:3]
        reach = np.tensordot(strides[3:], np.indices(view.shape[3:]), 1)
        reach = reach.reshape(-1, conv.groups, conv.channels_in // conv.groups).transpose(1, 0, 2)
        self._reach = reach.reshape(conv.groups, conv.taps, 1)
        """Where a field's inputs are, from its first on: (groups, taps, 1)."""
        weights = np.abs(tensors.filter_hwio.astype(np.float64))
        weights = weights.reshape(conv.taps, conv.groups, -1).transpose(1, 2, 0)
        self._weights = np.ascontiguousarray(weights)
        self._squares = self._weights**2
        self._bias = 0.0 if tensors.bias is None else np.abs(tensors.bias.astype(np.float64))

    def scales(self, block: Block, mask: Array) -> Scales:
        """Return A and L2 of the outputs under a mask of one block, in (k,) arrays.

        As good as those of `convdiff.compare.exact.scales`; only their last bits may differ.
        """
        wanted = mask.any(axis=3)
        n, y, x = np.ogrid[block[:3]]
        start = (n * self._steps[0] + y * self._steps[1] + x * self._steps[2])[wanted]
        sums, squares = np.empty((2, len(start), self._channels))
        step = max(FEWEST_OUTPUTS, TABLE_INPUTS // self._reach.size)
        for first in range(0, len(start), step):
            some = slice(first, first + step)
            table = np.abs(self._input[self._reach + start[some]].astype(np.float64))
            sums[some] = (self._weights @ table).reshape(self._channels, -1).T
            squares[some] = (self._squares @ table**2).reshape(self._channels, -1).T
        chosen = mask[wanted]
        sums, squares = sums + self._bias, np.sqrt(squares + np.square(self._bias))
        return Scales(sums[:, block[3]][chosen], squares[:, block[3]][chosen])
