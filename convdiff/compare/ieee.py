"""What IEEE arithmetic makes of NaN and infinity in the data: which outputs they reach, as what.

Counted, not computed: NaN·w is NaN for w = 0 too, inf·0 is NaN, inf·w is an infinity of the
product's sign, and infinities of both signs add to NaN (IEEE 754-2019, §6.1 and §7.2). A count of
products is exact in fp64, in whatever order they are added.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import addend, convolved
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import clamped

FINITE, PLUS, MINUS, NAN = 0, 1, 2, 3
"""The kinds of an output: no NaN or infinity reaches it, +inf, −inf, NaN."""
VALUES = np.array([0.0, np.inf, -np.inf, np.nan])
"""The value of each kind, 0 for the finite ones."""


def kinds(conv: Convolution, tensors: Tensors) -> Array:
    """Return the kind of every output that legal sums of the products give: int8, NHWC."""
    images = tensors.input_nhwc
    parts = [_image_kinds(conv, images[n : n + 1], tensors) for n in range(len(images))]
    sums, added = np.concatenate(parts), addend(conv, tensors)
    if added is None:
        return sums
    beside = np.broadcast_to(kinds_of(added), sums.shape)
    return np.where(sums == FINITE, beside, np.where(beside == FINITE, sums, _met(sums, beside)))


def _met(sums: Array, beside: Array) -> Array:
    """Return the kinds of sums of two that are not finite: of unlike infinities it is NaN."""
    return np.where(sums == beside, sums, np.int8(NAN))


def stepped(then: str, before: Array) -> Array:
    """Return the kinds that a step makes of those before it: a limit is finite."""
    return np.asarray(kinds_of(clamped(then, VALUES))[before])


def with_padding(conv: Convolution, tensors: Tensors, strict: Array) -> Array:
    """Return the kinds where the zeros of padding are multiplied, too, as some kernels do.

    strict: the kinds where a tap on padding is none. Zero times what is not finite is NaN.
    """
    lost = (~np.isfinite(tensors.filter_hwio.astype(np.float64))).astype(np.float64)
    if not (conv.is_padded and lost.any()):
        return strict
    inside = convolved(conv, np.ones(tensors.input_nhwc.shape), lost)
    return np.where(inside < lost.sum(axis=(0, 1, 2)), NAN, strict).astype(np.int8)


def kinds_of(values: Array) -> Array:
    """Return the kind of each value, int8."""
    kind = np.where(values == np.inf, PLUS, np.where(values == -np.inf, MINUS, FINITE))
    return np.where(np.isnan(values), NAN, kind).astype(np.int8)


def flushed(tensors: Tensors, smallest: float) -> Tensors:
    """Return filter and input with zeros for what is smaller: inf·subnormal is NaN then."""

    def without(array: Array) -> Array:
        return np.where(np.abs(array) < smallest, array.dtype.type(0), array)

    return replace(
        tensors,
        filter_hwio=without(tensors.filter_hwio),
        input_nhwc=without(tensors.input_nhwc),
    )


def _image_kinds(conv: Convolution, image: Array, tensors: Tensors) -> Array:
    """Return the kinds of one image's outputs; image: (1, H, W, C)."""
    x, w = image.astype(np.float64), tensors.filter_hwio.astype(np.float64)
    shape = conv.output_shape(*x.shape[:3])

    def count(of_input: Array, of_filter: Array) -> Array:
        """Return the sum of products of marks: how many, or how many more of one sign."""
        if not (of_input.any() and of_filter.any()):
            return np.zeros(shape)
        return convolved(conv, of_input.astype(np.float64), of_filter.astype(np.float64))

    everywhere = np.ones(x.shape), np.ones(w.shape)
    lost = count(np.isnan(x), everywhere[1]) + count(everywhere[0], np.isnan(w))
    lost += count(np.isinf(x), w == 0) + count(x == 0, np.isinf(w))
    sx, sw = (np.sign(np.where(np.isnan(side), 0.0, side)) for side in (x, w))
    infinite, finite = np.isinf(x) * sx, np.isfinite(x) * sx
    net = count(infinite, sw) + count(finite, np.isinf(w) * sw)
    both = count(np.abs(infinite), np.abs(sw)) + count(np.abs(finite), np.isinf(w))
    plus, minus = both + net > 0, both - net > 0
    if tensors.bias is not None:
        of_bias = kinds_of(tensors.bias.astype(np.float64))
        lost = lost + (of_bias == NAN)
        plus, minus = plus | (of_bias == PLUS), minus | (of_bias == MINUS)
    kind = np.where(plus, PLUS, np.where(minus, MINUS, FINITE))
    return np.where((lost > 0) | (plus & minus), NAN, kind).astype(np.int8)
