"""How large the terms of some outputs are, where there are too many to look at all of them."""

from __future__ import annotations

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import Scales, whole_addend
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block
from convdiff.worker.ops.convolution import Convolution

TABLE_INPUTS = 1 << 19
"""Inputs copied at once, so that they stay in the cache …"""

FEWEST_OUTPUTS = 64
"""… unless that is too few outputs for a fast matrix product."""


class TermScales:
    """One convolution's filter and input, laid out to make A and L2 position by position.

    All channels of a position are made at once: its field, one column of a matrix, times the
    filter.
    """

    def __init__(self, conv: Convolution, tensors: Tensors) -> None:
        self._conv = conv
        self._fields = np.asarray(conv.windows(tensors.input_nhwc))
        weights = np.abs(tensors.filter_hwio.astype(np.float64))
        self._weights = weights.reshape(conv.taps, conv.groups, -1).transpose(1, 0, 2)
        """(groups, taps, cout / groups)"""
        self._squares = self._weights**2
        self._added = whole_addend(conv, tensors)
        self._bias = 0.0 if tensors.bias is None else np.abs(tensors.bias.astype(np.float64))

    def scales(self, block: Block, mask: Array) -> Scales:
        """Return A and L2 of the outputs under a mask of one block, in (k,) arrays.

        As good as those of `convdiff.compare.fp64.scales`; only their last bits may differ.
        """
        wanted, fields = mask.any(axis=3), self._fields[block[:3]]
        places = np.argwhere(wanted)
        sums, squares = np.empty((2, len(places), self._conv.channels_out))
        step = max(FEWEST_OUTPUTS, TABLE_INPUTS // (self._conv.taps * self._conv.groups))
        for first in range(0, len(places), step):
            some = slice(first, first + step)
            table = self._sizes(fields[tuple(places[some].T)])
            sums[some] = _channels(table @ self._weights)
            squares[some] = _channels(table**2 @ self._squares)
        chosen = mask[wanted]
        sums, squares = sums + self._bias, squares + np.square(self._bias)
        absolute, square = sums[:, block[3]][chosen], squares[:, block[3]][chosen]
        if self._added is not None:
            added = np.abs(self._added[block][mask])
            absolute, square = absolute + added, square + np.square(added)
        return Scales(absolute, np.sqrt(square))

    def _sizes(self, fields: Array) -> Array:
        """Return |x| of (k, kh, kw, C) fields, in fp64: (groups, k, taps)."""
        conv = self._conv
        sizes = np.abs(fields.astype(np.float64))
        by_group = sizes.reshape(len(fields), -1, conv.groups, conv.channels_in // conv.groups)
        return np.reshape(by_group.transpose(2, 0, 1, 3), (conv.groups, len(fields), conv.taps))


def _channels(by_group: Array) -> Array:
    """Return (groups, k, cout / groups) sums as (k, cout)."""
    return np.reshape(by_group.transpose(1, 0, 2), (by_group.shape[1], -1))
