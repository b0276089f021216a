"""What a kernel computes, in parts: a mistake changes one of them, two mistakes two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

Output = Callable[[Array, Array], Array]
"""From the result, NHWC in fp64, and the bias of each channel, to what is given instead."""


@dataclass(frozen=True, eq=False)
class Core:
    """What is multiplied and added, without a bias."""

    conv: Convolution
    x: Array
    """NHWC"""
    w: Array
    """HWIO"""

    @cached_property
    def sums(self) -> Array | None:
        """The sums of products, NHWC in fp64; None where nothing is left of the output."""
        if min(self.conv.output_shape(1, *self.x.shape[1:3])) < 1:
            return None
        return plain_fp64(self.conv, Tensors(self.w, None, self.x))

    def sums_at(self, places: tuple[Array, ...]) -> Array | None:
        """Return the sums at some (image, row, column), (places, channels); None as `sums`."""
        batch, rows, columns, channels = self.conv.output_shape(len(self.x), *self.x.shape[1:3])
        outside = any(
            int(p.max()) >= n for p, n in zip(places, (batch, rows, columns), strict=True)
        )
        if outside or min(rows, columns) < 1:
            return None
        field = self.conv.windows(self.x)[places].astype(np.float64)
        parts = []
        for group in range(self.conv.groups):
            table = field[..., self.conv.inputs_of(group)].reshape(len(field), self.conv.taps)
            weights = self.w[..., self.conv.outputs_of(group)].reshape(self.conv.taps, -1)
            parts.append(table @ weights.astype(np.float64))
        return np.concatenate(parts, axis=1).reshape(len(field), channels)


@dataclass(frozen=True, eq=False)
class Computation:
    """A convolution as a kernel does it, right or not."""

    core: Core
    bias: Array | None
    """In fp64, (cout,); as it is added."""
    given: Array | None
    """In fp64, (cout,); as it was asked for."""
    outputs: tuple[Output, ...] = ()
    """What is done to the result, first to last."""

    @classmethod
    def of(cls, conv: Convolution, tensors: Tensors) -> Computation:
        """Return the right one."""
        bias = None if tensors.bias is None else tensors.bias.astype(np.float64)
        return cls(Core(conv, tensors.input_nhwc, tensors.filter_hwio), bias, bias)

    def result(self) -> Array | None:
        """Return what it gives, NHWC in fp64, or None where it can give nothing."""
        sums = self.core.sums
        if sums is None:
            return None
        y = sums if self.bias is None else sums + self.bias
        zeros = np.zeros(y.shape[-1])
        for change in self.outputs:
            y = change(y, zeros if self.bias is None else self.bias)
        return y

    def with_input(self, x: Array) -> Computation:
        """Return the same of another input, NHWC."""
        return replace(self, core=replace(self.core, x=np.ascontiguousarray(x)))

    def with_filter(self, w: Array) -> Computation:
        """Return the same of another filter, HWIO."""
        return replace(self, core=replace(self.core, w=np.ascontiguousarray(w)))

    def with_steps(self, conv: Convolution) -> Computation:
        """Return the same with other strides and dilations."""
        return replace(self, core=replace(self.core, conv=conv))

    def with_output(self, change: Output) -> Computation:
        """Return the same with something done to its result."""
        return replace(self, outputs=(*self.outputs, change))
