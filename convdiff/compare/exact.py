"""The correctly rounded result: products without error, summed without error, rounded once.

Most results are certified by a sum in fp64 that carries its own bound: of formats whose products
fp64 holds, by a matrix product; of fp64, by a compensated sum. The others are summed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import scales, sums_fp64, whole_addend
from convdiff.compare.rational import exact_at
from convdiff.compare.some_outputs import some_outputs
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks, corner
from convdiff.numerics.eft import product_error, two_sum
from convdiff.numerics.floats import FORMATS, round_to
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import clamped

CHUNK_OUTPUTS = 1 << 16
"""Outputs summed at once, so that the sums and their errors stay in the cache."""


def exact(conv: Convolution, tensors: Tensors) -> Array:
    """Return every output correctly rounded to the case's dtype, NHWC.

    What a step adds is a term of the sum; limits of a step hold for it as for the sum itself.
    """
    return np.asarray(clamped(conv.then, _sums(conv, tensors)))


def _sums(conv: Convolution, tensors: Tensors) -> Array:
    if tensors.input_nhwc.dtype == np.float64:
        return _exact_of_fp64(conv, tensors)
    sums = sums_fp64(conv, tensors)
    # n + 1 terms in any order, fused or not, are off by γₙA at most (Higham, 2002, §3.1).
    slack = 1.01 * (conv.taps + 3) * 2.0**-53 * scales(conv, tensors).absolute
    result, doubtful = _narrowed(sums, slack, tensors.input_nhwc.dtype)
    index = np.argwhere(doubtful)
    if len(index):
        result[doubtful] = some_outputs(conv, tensors, index).exact
    return result


def _narrowed(sums: Array, slack: Array, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Round fp64 sums ± slack, where the exact ones lie, to `dtype`; mask what stays in doubt.

    One step outwards makes up for the rounding of these ends themselves. Rounding is monotonic:
    where both ends round to one value, so does all between them. An exact zero is +0.
    """
    known = slack == 0
    below = np.where(known, sums + 0.0, np.nextafter(sums - slack, -np.inf))
    above = np.where(known, sums + 0.0, np.nextafter(sums + slack, np.inf))
    below, above = round_to(below, dtype), round_to(above, dtype)
    bits = FORMATS[dtype.name].bits
    return below, below.view(bits) != above.view(bits)


def _exact_of_fp64(conv: Convolution, tensors: Tensors) -> Array:
    view = np.asarray(conv.windows(tensors.input_nhwc))
    shape = (*view.shape[:3], conv.channels_out)
    result = np.empty(shape)
    least = 2.0**-1040 if _may_underflow(tensors) else 0.0
    added = whole_addend(conv, tensors)
    for block in blocks(shape[:3], max(1, CHUNK_OUTPUTS // shape[3])):
        last = [] if tensors.bias is None else [tensors.bias]
        last += [] if added is None else [added[block]]
        result[block], doubtful = _compensated(conv, tensors, view[block], least, last)
        for n, y, x, channel in np.add(np.argwhere(doubtful), (*corner(block), 0)):
            index = (int(n), int(y), int(x), int(channel))
            result[index] = exact_at(conv, tensors, index)
    return result


@np.errstate(over="ignore", invalid="ignore")
def _compensated(
    conv: Convolution, tensors: Tensors, field: Array, least: float, last: Sequence[Array]
) -> tuple[Array, Array]:
    """Sum fp64 with error terms (Sum2 of Ogita, Rump and Oishi, 2005), and certify the rounding.

    field: (…, kh, kw, C) inputs of some outputs; least: what the products themselves may have lost;
    last: what is added besides.
    A product is two terms without error (Dekker, 1971). Returns the rounded outputs, (…, O), and a
    mask of those in doubt.
    """
    outputs = field.shape[:-3]
    per_group, width = conv.channels_out // conv.groups, conv.channels_in // conv.groups
    high = np.zeros((*outputs, conv.groups, per_group))
    low = np.zeros_like(high)
    lost = np.zeros_like(high)  # Σ|error|, which bounds how wrong `low` itself may be
    for i, j, c in np.ndindex(*conv.window, width):
        a = field[..., i, j, c::width][..., None]
        b = tensors.filter_hwio[i, j, c].reshape(conv.groups, per_group)
        product = a * b
        for term in (product, product_error(a, b, product)):
            high, error = two_sum(high, term)
            low += error
            lost += np.abs(error)
    shape = (*outputs, conv.channels_out)
    high, low, lost = high.reshape(shape), low.reshape(shape), lost.reshape(shape)
    for term in last:
        high, error = two_sum(high, term)
        low, lost = low + error, lost + np.abs(error)
    slack = 4 * (2 * conv.taps + 3) * 2.0**-53 * lost + least
    high, low = two_sum(high, low)
    # The exact sum rounds to `high` if it is less than half a gap away. The gap towards zero is
    # the narrower one; a hundredth of it is more than this comparison's own rounding errors.
    gap = np.spacing(np.abs(np.nextafter(high, 0)))
    known = (low == 0) & (slack == 0)
    return high, ~(known | (np.abs(low) + slack < 0.49 * gap))


def _may_underflow(tensors: Tensors) -> bool:
    """Return whether a product of two fp64 may lose bits below the subnormals.

    An error term reaches 2^-106 below its product. Of a product below 2^-960 it may be cut off, by
    a few times 2^-1074: by less than 2^-1040 in all the products of an output together.
    """
    smallest = 1.0
    for array in (tensors.input_nhwc, tensors.filter_hwio):
        sizes = np.abs(array)
        smallest *= float(sizes.min(initial=1.0, where=sizes > 0))
    return smallest < 2.0**-960
