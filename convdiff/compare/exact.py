"""The correctly rounded result: products without error, summed without error, rounded once.

Two ways to the same bits: compensated fp64 over all outputs at once, which carries its own bound
and so certifies most results; and rational arithmetic, obviously right, for those it can't.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks, corner
from convdiff.numerics.eft import product_error, two_sum
from convdiff.numerics.floats import FORMATS, round_fraction, round_to
from convdiff.worker.ops.conv2d import Convolution

CHUNK_OUTPUTS = 1 << 16
"""Outputs summed at once, so that the sums and their errors stay in the cache."""


@dataclass(frozen=True)
class Scales:
    """How large the terms of each output are, bias included; fp64, NHWC."""

    absolute: Array
    """A = Σ|x·w| + |b|"""
    euclidean: Array
    """L2 = √(Σ(x·w)² + b²)"""


def scales(conv: Convolution, tensors: Tensors) -> Scales:
    """Return A and L2 of every output by fp64 matrix products; good to about 1e-13."""
    absolute = convolved(
        conv, np.abs(_wide(tensors.input_nhwc)), np.abs(_wide(tensors.filter_hwio))
    )
    squares = convolved(conv, _wide(tensors.input_nhwc) ** 2, _wide(tensors.filter_hwio) ** 2)
    if tensors.bias is not None:
        bias = _wide(tensors.bias)
        absolute, squares = absolute + np.abs(bias), squares + bias**2
    return Scales(absolute, np.sqrt(squares))


def plain_fp64(conv: Convolution, tensors: Tensors) -> Array:
    """Return the convolution in fp64, NHWC: exact for small integers, for the probes."""
    result = convolved(conv, _wide(tensors.input_nhwc), _wide(tensors.filter_hwio))
    return result if tensors.bias is None else result + _wide(tensors.bias)


def exact(conv: Convolution, tensors: Tensors) -> Array:
    """Return every output correctly rounded to the case's dtype, NHWC."""
    dtype = tensors.input_nhwc.dtype
    height, length = tensors.input_nhwc.shape[1:3]
    shape = conv.output_shape(tensors.input_nhwc.shape[0], height, length)
    result = np.empty(shape, dtype)
    view = _view(conv, tensors.input_nhwc)
    least = 2.0**-1040 if _may_underflow(tensors) else 0.0
    for block in blocks(shape[:3], max(1, CHUNK_OUTPUTS // shape[3])):
        values, doubtful = _compensated(conv, tensors, view[block], least)
        result[block] = values
        for n, y, x, channel in np.add(np.argwhere(doubtful), (*corner(block), 0)):
            index = (int(n), int(y), int(x), int(channel))
            result[index] = exact_at(conv, tensors, index)
    return result


def exact_at(conv: Convolution, tensors: Tensors, index: tuple[int, int, int, int]) -> Array:
    """Return one output, correctly rounded, by rational arithmetic; a 0-d array."""
    terms = products_at(conv, tensors, index)
    return round_fraction(sum(terms, Fraction(0)), tensors.input_nhwc.dtype)


def products_at(
    conv: Convolution, tensors: Tensors, index: tuple[int, int, int, int]
) -> list[Fraction]:
    """Return the exact terms of one output: its taps in (kh, kw, cin) order, the bias last."""
    image, y, x, channel = index
    group = channel // (conv.channels_out // conv.groups)
    width = conv.channels_in // conv.groups
    field = _view(conv, tensors.input_nhwc)[
        image, y, x, :, :, group * width : (group + 1) * width
    ].astype(np.float64)
    weights = tensors.filter_hwio[..., channel].astype(np.float64)
    terms = [
        Fraction(float(a)) * Fraction(float(b))
        for a, b in zip(field.ravel(), weights.ravel(), strict=True)
    ]
    if tensors.bias is not None:
        terms.append(Fraction(float(tensors.bias[channel])))
    return terms


@np.errstate(over="ignore", invalid="ignore")
def _compensated(
    conv: Convolution, tensors: Tensors, field: Array, least: float
) -> tuple[Array, Array]:
    """Sum with error terms (Sum2 of Ogita, Rump and Oishi, 2005) and certify the rounding.

    field: (…, kh, kw, C) inputs of some outputs; least: what the products themselves may have lost.
    Returns the rounded outputs, (…, O), and a mask of those uncertified.
    """
    dtype = tensors.input_nhwc.dtype
    outputs = field.shape[:-3]
    per_group, width = conv.channels_out // conv.groups, conv.channels_in // conv.groups
    high = np.zeros((*outputs, conv.groups, per_group))
    low = np.zeros_like(high)
    lost = np.zeros_like(high)  # Σ|error|, which bounds how wrong `low` itself may be
    weights = _wide(tensors.filter_hwio)
    for i, j, c in np.ndindex(*conv.kernel, width):
        a = field[..., i, j, c::width].astype(np.float64)[..., None]
        b = weights[i, j, c].reshape(conv.groups, per_group)
        for term in _product(a, b, dtype):
            high, error = two_sum(high, term)
            low += error
            lost += np.abs(error)
    shape = (*outputs, conv.channels_out)
    high, low, lost = high.reshape(shape), low.reshape(shape), lost.reshape(shape)
    if tensors.bias is not None:
        high, error = two_sum(high, _wide(tensors.bias))
        low, lost = low + error, lost + np.abs(error)
    slack = 4 * (2 * conv.taps + 2) * 2.0**-53 * lost + least
    return _certified(*two_sum(high, low), slack, dtype)


def _certified(high: Array, low: Array, slack: Array, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Round high + low ± slack, where the exact sum lies, to `dtype`; mask what stays in doubt.

    high is fl(high + low). All are fp64 of one shape.
    """
    known = (low == 0) & (slack == 0)
    if dtype == np.float64:
        # The exact sum rounds to `high` if it is less than half a gap away. The gap towards zero
        # is the narrower one; a hundredth of it is more than this comparison's own rounding errors.
        gap = np.spacing(np.abs(np.nextafter(high, 0)))
        return high, ~(known | (np.abs(low) + slack < 0.49 * gap))
    # One step outwards makes up for the rounding of these ends themselves. Rounding is monotonic:
    # where both ends round to one value, so does all between them.
    below = np.where(known, high, np.nextafter(high + (low - slack), -np.inf))
    above = np.where(known, high, np.nextafter(high + (low + slack), np.inf))
    below, above = round_to(below, dtype), round_to(above, dtype)
    bits = FORMATS[dtype.name].bits
    return below, below.view(bits) != above.view(bits)


def _may_underflow(tensors: Tensors) -> bool:
    """Return whether a product of two fp64 may lose bits below the subnormals.

    An error term reaches 2^-106 below its product. Of a product below 2^-960 it may be cut off, by
    a few times 2^-1074: by less than 2^-1040 in all the products of an output together.
    """
    if tensors.input_nhwc.dtype != np.float64:
        return False
    smallest = 1.0
    for array in (tensors.input_nhwc, tensors.filter_hwio):
        sizes = np.abs(_wide(array))
        smallest *= float(sizes.min(initial=1.0, where=sizes > 0))
    return smallest < 2.0**-960


def _product(a: Array, b: Array, dtype: np.dtype[Any]) -> Iterator[Array]:
    """Yield terms whose sum is exactly a·b: one for up to fp32, two for fp64 (Dekker, 1971)."""
    product = a * b
    yield product
    if dtype == np.float64:
        yield product_error(a, b, product)


def convolved(conv: Convolution, input_nhwc: Array, filter_hwio: Array) -> Array:
    """Convolve in fp64, image by image, a block of positions at a time."""
    view = _view(conv, input_nhwc)
    width, per_group = conv.channels_in // conv.groups, conv.channels_out // conv.groups
    result = np.empty((*view.shape[:3], conv.channels_out))
    for group in range(conv.groups):
        outs = slice(group * per_group, (group + 1) * per_group)
        columns_of = filter_hwio[..., outs].reshape(conv.taps, per_group)
        for image in range(len(view)):
            for rows, columns in blocks(view.shape[1:3], max(1, (1 << 23) // conv.taps)):
                field = view[image, rows, columns, ..., group * width : (group + 1) * width]
                table = np.ascontiguousarray(field).reshape(-1, conv.taps)
                block = table @ columns_of
                result[image, rows, columns, outs] = block.reshape(*field.shape[:2], per_group)
    return result


def _view(conv: Convolution, input_nhwc: Array) -> Array:
    return np.asarray(conv.windows(input_nhwc))


def _wide(array: Array) -> Array:
    return array.astype(np.float64)
