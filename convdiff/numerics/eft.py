"""Error-free transforms: a rounded sum or product together with its exact error, in float64.

All arrays are float64 and broadcast together.
"""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return fl(a + b) and its exact error (Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def product_error(a: Array, b: Array, product: Array) -> Array:
    """Return a·b − product, exactly, of product = fl(a·b) (Dekker, 1971).

    Exact where nothing overflows and no part of the product is subnormal.
    """
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    error: Array = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return error


def odd_sum(a: Array, b: Array) -> Array:
    """Return a + b rounded to odd: an inexact sum has its last bit set.

    To round it once more, to a format of at least two bits less, is to round a + b once (Boldo and
    Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
    odd", IEEE Trans. Computers 57(4), 2008).
    """
    total, error = two_sum(a, b)
    total, error = np.atleast_1d(total), np.atleast_1d(error)
    even = (total.view(np.int64) & 1) == 0
    move = even & (error != 0) & np.isfinite(total)
    towards = np.where(error > 0, np.inf, -np.inf)
    total[move] = np.nextafter(total, towards)[move]
    return total.reshape(np.broadcast_shapes(np.shape(a), np.shape(b)))


def _split(values: Array) -> tuple[Array, Array]:
    """Return each value as the sum of two of at most 26 bits (Veltkamp)."""
    scaled = values * (2.0**27 + 1)
    high = scaled - (scaled - values)
    return high, values - high
