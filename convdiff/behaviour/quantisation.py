"""Quantisation: weights, inputs or outputs on a few evenly spaced steps, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.behaviour.steps import Steps
from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import absolute_fp64, plain_fp64
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format
from convdiff.worker.ops.convolution import Convolution

SCALING = 16.0
"""u of fp32 by which what is on a step may be off: scales are products and quotients of fp32."""


@dataclass(frozen=True)
class Quantisation:
    """How weights, inputs and outputs are quantised, if they are."""

    weights: Steps | None
    inputs: Steps | None
    outputs: Steps | None = None

    @property
    def words(self) -> str:
        """Say it as evidence."""
        return ", ".join(str(side) for side in (self.weights, self.inputs, self.outputs) if side)

    def result(self, conv: Convolution, tensors: Tensors) -> tuple[Array, Array]:
        """Return what a sound kernel that quantises so gives, and how far off it may yet be."""
        return next(self.results(conv, tensors, (1.0,)))

    def results(
        self, conv: Convolution, tensors: Tensors, shares: Sequence[float]
    ) -> Iterator[tuple[Array, Array]]:
        """Yield the same for each share that it may make of each product, before it stores them."""
        x, x_off = _by(self.inputs, _in_reach(conv, tensors.input_nhwc))
        w, w_off = _by(self.weights, tensors.filter_hwio)
        moved = Tensors(w, tensors.bias, x)
        slack = _rounding(conv, moved)
        for unsure in (Tensors(w_off, None, np.abs(x) + x_off), Tensors(np.abs(w), None, x_off)):
            if unsure.filter_hwio.any() and unsure.input_nhwc.any():
                slack += plain_fp64(conv, unsure)
        exact = plain_fp64(conv, moved)
        if self.outputs is None:
            for share in shares:
                yield share * exact, slack
            return
        slack += self._of_bias(tensors)
        right = plain_fp64(conv, tensors)
        for share in shares:
            yield self.outputs.stored(share * exact, slack, right)

    def bound(self, conv: Convolution, tensors: Tensors) -> Array:
        """Return how far from the exact results quantisation takes outputs at most, NHWC.

        A step of each number that is quantised: half of one, and where the range is cut, another.
        """
        tensors = replace(tensors, input_nhwc=_in_reach(conv, tensors.input_nhwc))
        x, w = (np.abs(a.astype(np.float64)) for a in (tensors.input_nhwc, tensors.filter_hwio))
        x_step = self._step(self.inputs, tensors.input_nhwc)
        w_step = self._step(self.weights, tensors.filter_hwio)
        steps = plain_fp64(conv, Tensors(w_step, None, x))
        steps += plain_fp64(conv, Tensors(w + w_step, None, x_step))
        if self.outputs is not None:
            steps += self._step(self.outputs, plain_fp64(conv, tensors)) + self._of_bias(tensors)
        return np.asarray(1.01 * steps + _rounding(conv, tensors))

    def _of_bias(self, tensors: Tensors) -> Array:
        """Return half a step of a bias, (cout,), which where outputs have steps is a product's."""
        if tensors.bias is None:
            return np.zeros(tensors.filter_hwio.shape[-1])
        x_step = self._step(self.inputs, tensors.input_nhwc).max()
        return np.asarray(
            self._step(self.weights, tensors.filter_hwio).max(axis=(0, 1, 2)) * x_step / 2
        )

    @staticmethod
    def _step(steps: Steps | None, values: Array) -> Array:
        """Return the size of a step beside each value, 0 where there are none."""
        wide = values.astype(np.float64)
        return steps.scale_of(wide) if steps else np.zeros_like(wide)


def _in_reach(conv: Convolution, x: Array) -> Array:
    """Return inputs, NHWC, with 0 for those that a negative padding cuts off before the call."""
    pads = conv.pads(*x.shape[1:3])
    if conv.transposed or min(map(min, pads)) >= 0:
        return x
    result = np.zeros(x.shape, x.dtype)
    extents = conv.extents(*x.shape[1:3])
    kept = [slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(pads, extents, strict=True)]
    region = (slice(None), *kept)
    conv.spread(result)[region] = conv.spread(x)[region]
    return result


def _by(steps: Steps | None, values: Array) -> tuple[Array, Array]:
    wide = values.astype(np.float64)
    return steps.quantised(wide) if steps else (wide, np.zeros_like(wide))


def _rounding(conv: Convolution, tensors: Tensors) -> Array:
    """Return how far off sums of numbers on steps may be, NHWC: as many as are not zero."""
    form = FORMATS[conv.dtype]
    x, w = (np.abs(np.sign(array)) for array in (tensors.input_nhwc, tensors.filter_hwio))
    shares = 2 * slack_of(form) + (plain_fp64(conv, Tensors(w, None, x)) + 1) * form.unit_roundoff
    return np.asarray(shares * absolute_fp64(conv, tensors))


def slack_of(form: Format) -> float:
    """Return by what share a number on a step may be off."""
    return SCALING * 2.0**-24 + (2 * form.unit_roundoff if form.precision < 24 else 0.0)
