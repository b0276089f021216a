"""Outputs that are not what IEEE arithmetic makes of NaN and infinity in the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convdiff.case.layout import Order
from convdiff.compare.ieee import FINITE, NAN, kinds_of
from convdiff.compare.reference import Reference
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block, blocks, corner
from convdiff.worker.ops.then import at_limits

SHOWN = 3
"""Positions that are kept of many."""

Index = tuple[int, ...]
"""NHWC"""


@dataclass(frozen=True)
class Places:
    """How many outputs, and the first of them in C order."""

    count: int = 0
    first: tuple[Index, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return self.count > 0

    def with_more(self, mask: Array, start: Index) -> Places:
        """Return these and the outputs under the mask of a block that begins at `start`."""
        count = int(np.count_nonzero(mask))
        if not count:
            return self
        wanted = max(0, SHOWN - self.count)
        index = np.stack(np.unravel_index(np.flatnonzero(mask)[:wanted], mask.shape), 1) + start
        return Places(self.count + count, (*self.first, *map(tuple, index.tolist())))

    def spoken(self, order: Order) -> Places:
        """Return them with their positions as a case's arrays lie."""
        return Places(self.count, tuple(map(order.placed, self.first)))


@dataclass(frozen=True)
class Astray:
    """What one side makes of NaN and infinity in the data that IEEE arithmetic does not."""

    lost: Places = Places()
    """Finite, where a NaN or an infinity belongs."""
    unwanted: Places = Places()
    """NaN or infinite, where neither the data nor an overflow makes it so."""
    changed: Places = Places()
    """NaN where an infinity belongs, an infinity where NaN does, or the other infinity.

    Or a number where an infinity belongs that the step takes for its limit.
    """
    flushed: Places = Places()
    """What is right where subnormal numbers are taken for zero: NaN for an infinity times one."""
    padded: Places = Places()
    """What is right where the zeros of padding are multiplied: NaN for one times an infinity."""
    limited: Places = Places()
    """What is right where a step takes NaN for one of its limits, as max(x, 0) may."""
    multiplied: Places = Places()
    """What is right where a step multiplies by zero what is below it: NaN for −∞."""

    def __bool__(self) -> bool:
        """Return whether anything is astray; flushing is no mistake."""
        return bool(self.lost or self.unwanted or self.changed)

    def spoken(self, order: Order) -> Astray:
        """Return it with all positions as a case's arrays lie."""
        kinds = (
            self.lost,
            self.unwanted,
            self.changed,
            self.flushed,
            self.padded,
            self.limited,
            self.multiplied,
        )
        return Astray(*(places.spoken(order) for places in kinds))


def astray(output: Array, reference: Reference) -> tuple[Astray, Array]:
    """Return what is astray in an output, and the mask of the outputs that are so by mistake.

    output: NHWC, a prefix of the reference's outputs along batch and length.
    """
    total, mask = Astray(), np.zeros(output.shape, bool)
    for block in blocks(output.shape):
        lost, unwanted, changed, *legal = _masks(output[block], block, reference)
        flushed, padded, limited, multiplied = legal
        start = corner(block)
        total = Astray(
            total.lost.with_more(lost, start),
            total.unwanted.with_more(unwanted, start),
            total.changed.with_more(changed, start),
            total.flushed.with_more(flushed, start),
            total.padded.with_more(padded, start),
            total.limited.with_more(limited, start),
            total.multiplied.with_more(multiplied, start),
        )
        mask[block] = lost | unwanted | changed
    return total, mask


def _masks(values: Array, block: Block, reference: Reference) -> tuple[Array, ...]:
    """Return where a block's NaN or infinity is lost, unwanted, changed, and legal otherwise.

    That is flushed, padded, limited and multiplied, as `Astray` has them.
    """
    there, (wanted, if_flushed, if_padded) = kinds_of(values), reference.kinds_in(block)
    off = there != wanted
    if off.any():  # a sum that may overflow may become an infinity, and NaN of two
        large = np.zeros(off.shape, bool)
        large[off] = reference.scales_in(block, off).absolute >= reference.format.largest / 2
        off &= ~(large & (there != FINITE) & (wanted != NAN))
    flushed = off & (there == if_flushed)
    padded = off & ~flushed & (there == if_padded)
    at_limit = at_limits(values, reference.conv.then)
    limited = off & (wanted == NAN) & at_limit
    multiplied = off & (there == NAN) & reference.multiplied_in(block)
    off &= ~(flushed | padded | limited | multiplied)
    beside = reference.limited_in(block) & ~at_limit & (there == FINITE)
    return (
        off & (there == FINITE),
        off & (wanted == FINITE),
        (off & (there != FINITE) & (wanted != FINITE)) | beside,
        flushed,
        padded,
        limited,
        multiplied,
    )
