"""The parent's own references for one case, each made when first asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.nonfinite import cleaned
from convdiff.compare.bounds import underflow
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import Scales, scales
from convdiff.compare.ieee import FINITE, MINUS, VALUES, flushed, kinds, stepped, with_padding
from convdiff.compare.rational import exact_at
from convdiff.compare.some_outputs import Some, sample, some_outputs
from convdiff.compare.term_scales import KeptScales, TermScales
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block
from convdiff.numerics.floats import HALF_OVERFLOW, Format, format_of
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import LIMITS, clamped

FULL_LIMIT = 4e7
"""Products; up to here every output gets its exact value, beyond only those that are shown."""
MOST_EXACT = 2_000_000
"""Outputs, likewise."""

WHOLE = 1_000_000
"""Outputs; up to here the scales of all are kept, beyond they are made where asked for."""

MIXED = 128.0
"""How many times as large as all products at their largest a transform's numbers may be."""


@dataclass(frozen=True)
class Overflows:
    """Whether each output that is finite on one side only may have overflowed on the way."""

    direct: bool = False
    """In any direct sum."""
    half: bool = False
    """Where something is kept in float16."""
    mixed: bool = False
    """In a transform, which adds inputs before it multiplies."""


NO_OVERFLOW = Overflows()


class References:
    """A case's references: one for all lengths, but where padding follows the end of the input."""

    def __init__(self, conv: Convolution, tensors: Tensors) -> None:
        self.longest = Reference(conv, tensors)
        self._shorter: dict[int, Reference] = {}

    def at(self, length: int) -> Reference:
        """Return the reference of outputs at this length: prefixes along length and batch."""
        whole = self.longest
        if length == whole.tensors.input_nhwc.shape[2] or not whole.conv.is_padded:
            return whole
        if length not in self._shorter:
            tensors = whole.tensors.upto(len(whole.tensors.input_nhwc), length)
            self._shorter = {length: Reference(whole.conv, tensors)}  # they come length by length
        return self._shorter[length]


class Reference:
    """Exact values and term sizes at the longest length; shorter ones are prefixes of it.

    Where the data hold NaN or infinity, exact values are what IEEE arithmetic makes of them, and
    sizes are those of the finite terms.
    """

    def __init__(self, conv: Convolution, tensors: Tensors) -> None:
        self.conv, self.tensors = conv, tensors
        self.finite = cleaned(tensors)
        """The data with zeros for NaN and infinity."""
        batch, height, length, _ = tensors.input_nhwc.shape
        self.shape = conv.output_shape(batch, height, length)
        self._parts: dict[tuple[int, int], Reference] = {}

    def at(self, batch: int, length: int, places: Array) -> Reference:
        """Return the reference of some outputs alone, (1, 1, k, cout).

        places: (k,) flat positions in the output of so many images of this length.
        """
        if (batch, length) not in self._parts:
            fields = self.conv.fields(self.tensors.input_nhwc[:batch, :, :length], places)
            conv, row = self.conv.unrolled(fields)
            added = self.tensors.added
            if added is not None:
                shape = (batch, self.tensors.input_nhwc.shape[1], length)
                added = self.conv.addend(added, shape, places)
            tensors = replace(self.tensors, input_nhwc=row, added=added)
            self._parts[batch, length] = Reference(conv._replace(then=self.conv.then), tensors)
        return self._parts[batch, length]

    @property
    def terms(self) -> int:
        """Terms in one output: its taps, the bias where there is one, and what a step adds."""
        return self.conv.taps + (self.tensors.bias is not None) + (self.conv.then == "add")

    @property
    def format(self) -> Format:
        """The case's floating-point format."""
        return format_of(self.tensors.input_nhwc)

    @property
    def is_finite(self) -> bool:
        """Whether the data hold neither NaN nor infinity."""
        return self.finite is self.tensors

    @cached_property
    def _before(self) -> Array | None:
        """What NaN and infinity make of each sum, as `ieee.kinds` has it; None without any."""
        return None if self.is_finite else kinds(self.conv, self.tensors)

    @cached_property
    def kinds(self) -> Array | None:
        """What they make of each output, after the step."""
        return None if self._before is None else stepped(self.conv.then, self._before)

    @cached_property
    def _flushed_kinds(self) -> Array | None:
        """The same where subnormal numbers are taken for zero, which is no mistake."""
        if self.is_finite:
            return None
        sums = kinds(self.conv, flushed(self.tensors, self.format.flushed))
        return stepped(self.conv.then, sums)

    @cached_property
    def _padded_before(self) -> Array | None:
        """What is before the step where zeros of padding are multiplied, which is none either."""
        if self._before is None:
            return None
        return with_padding(self.conv, self.tensors, self._before)

    @cached_property
    def _padded_kinds(self) -> Array | None:
        """The same after the step."""
        before = self._padded_before
        return None if before is None else stepped(self.conv.then, before)

    def _values(self, values: Array, before: Array) -> Array:
        """Return exact values with what the step makes of sums that are not finite."""
        others = clamped(self.conv.then, VALUES)[before].astype(values.dtype)
        return np.where(before == FINITE, values, others)

    def untouched(self, shape: tuple[int, ...]) -> Array | None:
        """Return the mask of the outputs that no NaN or infinity reaches in any legal way.

        shape: of an output, a prefix of the reference's. None where the data are finite.
        """
        if self._before is None or self._padded_before is None:
            return None
        here = tuple(slice(0, extent) for extent in shape)
        return np.asarray((self._before[here] == FINITE) & (self._padded_before[here] == FINITE))

    def limited_in(self, block: Block) -> Array:
        """Return which outputs of a block are limits of the step because no finite sum is there."""
        if self._before is None or self.kinds is None:
            return np.zeros(_extent(block), bool)
        return np.asarray((self._before[block] != FINITE) & (self.kinds[block] == FINITE))

    def multiplied_in(self, block: Block) -> Array:
        """Return which outputs of a block are −∞ before a step whose lower limit is zero."""
        if self._before is None or LIMITS.get(self.conv.then, (None,))[0] != 0:
            return np.zeros(_extent(block), bool)
        return np.asarray(self._before[block] == MINUS)

    def kinds_in(self, block: Block) -> tuple[Array, Array, Array]:
        """Return the kinds that a block's outputs may be of.

        The strict ones; where subnormal numbers are zero; where padding is multiplied.
        """
        strict, flushing, padding = self.kinds, self._flushed_kinds, self._padded_kinds
        if strict is None or flushing is None or padding is None:
            return (np.full(_extent(block), FINITE, np.int8),) * 3
        return strict[block], flushing[block], padding[block]

    @cached_property
    def largest(self) -> tuple[float, float]:
        """The largest size of an input, and of a weight, that is finite."""
        x, w = (
            max(float(array.max()), -float(array.min()))
            for array in (self.finite.input_nhwc, self.finite.filter_hwio)
        )
        return x, w

    @cached_property
    def underflow(self) -> float:
        """What flushing to zero can make of any output, at most."""
        return underflow(self.terms, self.format, sum(self.largest))

    def overflows(self, least: float) -> Overflows:
        """Return what may have overflowed on the way to outputs that were lost.

        least: the smallest A of theirs, infinite where none was.
        """
        x, w = self.largest
        return Overflows(
            least >= self.format.largest / 2,
            max(least, x, w) >= HALF_OVERFLOW / 2,
            x * w * self.terms * MIXED >= self.format.largest,
        )

    @cached_property
    def scales(self) -> Scales | None:
        """A and L2 of every output, or None where there are too many to keep."""
        if math.prod(self.shape) > WHOLE:
            return None
        return scales(self.conv, self.finite)

    @cached_property
    def by_block(self) -> TermScales | KeptScales:
        """What gives A and L2 of a block of outputs: those that are kept, or made anew."""
        return (
            TermScales(self.conv, self.finite) if self.scales is None else KeptScales(self.scales)
        )

    def scales_in(self, block: Block, mask: Array) -> Scales:
        """Return A and L2 of the outputs under a mask of one block, in 1-d arrays."""
        return self.by_block.scales(block, mask)

    @cached_property
    def exact(self) -> Array | None:
        """Every output correctly rounded, or None where that would take too long."""
        outputs = math.prod(self.shape)
        if outputs > MOST_EXACT or float(outputs) * self.conv.taps > FULL_LIMIT:
            return None
        values = exact(self.conv, self.finite)
        return values if self._before is None else self._values(values, self._before)

    @cached_property
    def some(self) -> Some:
        """A sample of the outputs with their exact values, for where all would take too long."""
        some = some_outputs(self.conv, self.finite, sample(self.shape, self.conv.taps))
        return some if self.is_finite else replace(some, exact=self.exact_at(some.index))

    def exact_at(self, index: Array) -> Array:
        """Return the correctly rounded outputs at (k, 4) positions."""
        if self.exact is not None:
            return np.asarray(self.exact[tuple(index.T)])
        values = some_outputs(self.conv, self.finite, index).exact
        if self._before is None:
            return values
        return self._values(values, self._before[tuple(index.T)])

    def exact_of(self, index: Sequence[int] | Array) -> Array:
        """Return the correctly rounded output at one NHWC position, whatever all would take."""
        n, h, w, c = (int(i) for i in index)
        if self._before is not None and self._before[n, h, w, c] != FINITE:
            return np.asarray(clamped(self.conv.then, VALUES)[self._before[n, h, w, c]])
        return exact_at(self.conv, self.finite, (n, h, w, c))


def _extent(block: Block) -> tuple[int, ...]:
    return tuple(cut.stop - cut.start for cut in block)
