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


class KeptScales:
    """Scales of all outputs, asked for as those of `TermScales` are."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales

    def whole(self, block: Block) -> Scales:
        """See `TermScales.whole`."""
        return Scales(self._scales.absolute[block], self._scales.euclidean[block])

    def scales(self, block: Block, mask: Array) -> Scales:
        """See `TermScales.scales`."""
        whole = self.whole(block)
        return Scales(whole.absolute[mask], whole.euclidean[mask])


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
        self._bias = None if tensors.bias is None else np.abs(tensors.bias.astype(np.float64))

    def whole(self, block: Block) -> Scales:
        """Return A and L2 of all outputs of one block, in its shape.

        As good as those of `convdiff.compare.fp64.scales`; only their last bits may differ.
        """
        shape = self._fields[block[:3]].shape[:3]
        scales = self._of_places(block, np.argwhere(np.ones(shape, bool)))
        sums, squares = (one.reshape(*shape, -1) for one in (scales.absolute, scales.euclidean))
        return Scales(sums[..., block[3]], squares[..., block[3]])

    def scales(self, block: Block, mask: Array) -> Scales:
        """Return those of the outputs under a mask of one block, in (k,) arrays."""
        wanted = mask.any(axis=3)
        scales, chosen = self._of_places(block, np.argwhere(wanted)), mask[wanted]
        sums, squares = scales.absolute[:, block[3]], scales.euclidean[:, block[3]]
        return Scales(sums[chosen], squares[chosen])

    def _of_places(self, block: Block, places: Array) -> Scales:
        """Return A and L2 of all channels at (k, 3) positions of a block, (k, cout)."""
        fields, conv = self._fields[block[:3]], self._conv
        shape = (conv.groups, len(places), conv.channels_out // conv.groups)
        sums, squares = np.empty(shape), np.empty(shape)
        step = max(FEWEST_OUTPUTS, TABLE_INPUTS // (conv.taps * conv.groups))
        for first in range(0, len(places), step):
            some = slice(first, first + step)
            table = self._sizes(fields[tuple(places[some].T)])
            np.matmul(table, self._weights, out=sums[:, some])
            np.matmul(np.square(table, out=table), self._squares, out=squares[:, some])
        sums, squares = _channels(sums), _channels(squares)
        if self._bias is not None:
            sums += self._bias
            squares += np.square(self._bias)
        if self._added is not None:
            added = np.abs(self._added[block[:3]][tuple(places.T)])
            sums += added
            squares += np.square(added)
        return Scales(sums, np.sqrt(squares, out=squares))

    def _sizes(self, fields: Array) -> Array:
        """Return |x| of (k, kh, kw, C) fields, in fp64: (groups, k, taps)."""
        conv = self._conv
        sizes = fields.astype(np.float64)
        np.abs(sizes, out=sizes)
        by_group = sizes.reshape(len(fields), -1, conv.groups, conv.channels_in // conv.groups)
        return np.reshape(by_group.transpose(2, 0, 1, 3), (conv.groups, len(fields), conv.taps))


def _channels(by_group: Array) -> Array:
    """Return (groups, k, cout / groups) sums as (k, cout)."""
    groups, k, per_group = by_group.shape
    return np.reshape(by_group.transpose(1, 0, 2), (k, groups * per_group))
