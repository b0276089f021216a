"""One output by rational arithmetic: its exact terms, and their sum rounded once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import whole_addend
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_fraction
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import clamped


def exact_at(conv: Convolution, tensors: Tensors, index: tuple[int, int, int, int]) -> Array:
    """Return one output, correctly rounded, by rational arithmetic; a 0-d array."""
    terms = products_at(conv, tensors, index)
    rounded = round_fraction(sum(terms, Fraction(0)), tensors.input_nhwc.dtype)
    return np.asarray(clamped(conv.then, rounded))


def products_at(
    conv: Convolution, tensors: Tensors, index: tuple[int, int, int, int]
) -> list[Fraction]:
    """Return the exact terms of one output: its taps in (kh, kw, cin) order, then the bias.

    Last is what a step adds.
    """
    image, y, x, channel = index
    group = channel // (conv.channels_out // conv.groups)
    width = conv.channels_in // conv.groups
    field = np.asarray(conv.windows(tensors.input_nhwc))[
        image, y, x, :, :, group * width : (group + 1) * width
    ].astype(np.float64)
    weights = tensors.filter_hwio[..., channel].astype(np.float64)
    terms = [
        Fraction(float(a)) * Fraction(float(b))
        for a, b in zip(field.ravel(), weights.ravel(), strict=True)
    ]
    if tensors.bias is not None:
        terms.append(Fraction(float(tensors.bias[channel])))
    added = whole_addend(conv, tensors)
    if added is not None:
        terms.append(Fraction(float(added[index])))
    return terms
