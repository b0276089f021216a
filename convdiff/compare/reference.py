"""The parent's own references for one case, each made when first asked for."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.bounds import underflow
from convdiff.compare.exact import Scales, exact, exact_at, scales
from convdiff.compare.some_outputs import Some, sample, some_outputs
from convdiff.compare.term_scales import TermScales
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block
from convdiff.numerics.floats import Format, format_of
from convdiff.worker.ops.conv2d import Convolution

FULL_LIMIT = 4e7
"""Products; up to here every output gets its exact value, beyond only those that are shown."""

WHOLE = 1_000_000
"""Outputs; up to here the scales of all are kept, beyond they are made where asked for."""


class Reference:
    """Exact values and term sizes at the longest length; shorter ones are prefixes of it."""

    def __init__(self, conv: Convolution, tensors: Tensors) -> None:
        self.conv, self.tensors = conv, tensors
        batch, height, length, _ = tensors.input_nhwc.shape
        self.shape = conv.output_shape(batch, height, length)

    @property
    def terms(self) -> int:
        """Terms in one output: its taps, and the bias where there is one."""
        return self.conv.taps + (self.tensors.bias is not None)

    @property
    def format(self) -> Format:
        """The case's floating-point format."""
        return format_of(self.tensors.input_nhwc)

    @cached_property
    def underflow(self) -> float:
        """What flushing to zero can make of any output, at most."""
        arrays = (self.tensors.input_nhwc, self.tensors.filter_hwio)
        largest = sum(max(float(array.max()), -float(array.min())) for array in arrays)
        return underflow(self.terms, self.format, largest)

    @cached_property
    def scales(self) -> Scales | None:
        """A and L2 of every output, or None where there are too many to keep."""
        if math.prod(self.shape) > WHOLE:
            return None
        return scales(self.conv, self.tensors)

    @cached_property
    def _term_scales(self) -> TermScales:
        return TermScales(self.conv, self.tensors)

    def scales_in(self, block: Block, mask: Array) -> Scales:
        """Return A and L2 of the outputs under a mask of one block, in 1-d arrays."""
        if self.scales is None:
            return self._term_scales.scales(block, mask)
        return Scales(self.scales.absolute[block][mask], self.scales.euclidean[block][mask])

    @cached_property
    def exact(self) -> Array | None:
        """Every output correctly rounded, or None where that would take too long."""
        if float(np.prod(self.shape)) * self.conv.taps > FULL_LIMIT:
            return None
        return exact(self.conv, self.tensors)

    @cached_property
    def some(self) -> Some:
        """A sample of the outputs with their exact values, for where all would take too long."""
        return some_outputs(self.conv, self.tensors, sample(self.shape, self.conv.taps))

    def exact_at(self, index: Array) -> Array:
        """Return the correctly rounded outputs at (k, 4) positions."""
        if self.exact is not None:
            return np.asarray(self.exact[tuple(index.T)])
        places = [(int(n), int(h), int(w), int(c)) for n, h, w, c in index]
        found = [exact_at(self.conv, self.tensors, place) for place in places]
        return np.array(found, self.tensors.input_nhwc.dtype)
