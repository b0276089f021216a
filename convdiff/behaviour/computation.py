"""What a kernel computes, in parts: a mistake changes one of them, two mistakes two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64, whole_addend
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import applied

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
class Step:
    """The step that follows, as a kernel does it."""

    then: str = ""
    added: Array | None = None
    """In fp64, of the output's shape or of some of its positions; as it is added."""
    is_early: bool = False
    """Whether it is done before the bias is added."""

    def of(self, sums: Array, bias: Array | None) -> Array | None:
        """Return what it makes of sums of products with their bias; None where it does not fit."""
        if self.added is not None and self.added.shape != sums.shape:
            return None
        first, last = (None, bias) if self.is_early else (bias, None)
        y = applied(self.then, sums if first is None else sums + first, self.added)
        return np.asarray(y if last is None else y + last)

    def at(self, places: tuple[Array, ...]) -> Step:
        """Return the step at some (image, row, column), of all channels."""
        return self if self.added is None else replace(self, added=self.added[places])


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

    step: Step = field(default_factory=Step)

    @classmethod
    def of(cls, conv: Convolution, tensors: Tensors) -> Computation:
        """Return the right one."""
        bias = None if tensors.bias is None else tensors.bias.astype(np.float64)
        core = Core(conv._replace(then=""), tensors.input_nhwc, tensors.filter_hwio)
        return cls(core, bias, bias, step=Step(conv.then, whole_addend(conv, tensors)))

    def result(self) -> Array | None:
        """Return what it gives, NHWC in fp64, or None where it can give nothing."""
        sums = self.core.sums
        y = None if sums is None else self.step.of(sums, self.bias)
        if y is None:
            return None
        zeros = np.zeros(y.shape[-1])
        for change in self.outputs:
            y = change(y, zeros if self.bias is None else self.bias)
        return y

    def at(self, places: tuple[Array, ...]) -> Array | None:
        """Return what it gives at some (image, row, column), less what is done to the result."""
        sums = self.core.sums_at(places)
        return None if sums is None else self.step.at(places).of(sums, self.bias)

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
