"""Equal bits: what it means for two floats to be the same."""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of


def same_bits(a: Array, b: Array) -> Array:
    """Return the mask of elements with the same bits; any NaN equals any NaN.

    a, b: float arrays of one dtype that broadcast together.
    """
    bits = format_of(a).bits
    equal = np.asarray(a).view(bits) == np.asarray(b).view(bits)
    return np.asarray(equal | (np.isnan(a) & np.isnan(b)))


def identical(a: Array, b: Array) -> bool:
    """Return whether two float arrays have one shape, one dtype and the same bytes."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    bits = format_of(a).bits
    return np.array_equal(np.ascontiguousarray(a).view(bits), np.ascontiguousarray(b).view(bits))
