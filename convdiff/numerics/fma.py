"""The exact fused multiply-add x * w + a, rounded once, in plain NumPy.

float32: the product of two float32 is exact in float64, and so is all but the last addition. That
sum s = fl64(p + a) rounds to the wrong float32 only when s itself is inexact and a tie of float32
rounding: those few are rounded to odd first, which makes the second rounding harmless (Boldo and
Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
odd", IEEE Trans. Computers 57(4), 2008).
float64: the product as two float64 (Dekker), then the same paper's algorithm for a sum of three;
elements whose exponents leave its range are computed with rational numbers.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.eft import odd_sum, product_error, two_sum
from convdiff.numerics.rounding import rounded

#: The float64 bits that float32 keeps, shifted out; and a tie of what is left: the least int64.
_KEPT = 35
_TIE = np.iinfo(np.int64).min

#: Below this a float32 result may be subnormal, and ties sit elsewhere.
_SMALL = np.float32(2.0**-125)

#: With all products zero or at least this large, a sum below _SMALL is exact in float64: both are
#: multiples of 2**-178 then, as a float32 is less than 2**24 of its last places.
TINY_PRODUCT = 2.0**-130

#: float64 exponents for which Dekker's product and all later steps are exact.
_RANGE = (2.0**-400, 2.0**400)


def fma(x: Array, w: Array, a: Array, name: str) -> Array:
    """Return x * w + a rounded once to the named format (float64, float32, float16, bfloat16).

    All arrays hold values of that format and broadcast together.
    """
    with np.errstate(all="ignore"):
        if name == "float64":
            return fma64(x, w, a)
        if name == "float32":
            return fma32(x, w, a)
        product = np.multiply(x, w, dtype=np.float64)
        return rounded(odd_sum(product, a.astype(np.float64)), name)


def fma32(x: Array, w: Array, a: Array, *, tiny: bool = True) -> Array:
    """Return x * w + a rounded once to float32; x and w hold float32 values in either type.

    tiny: whether a product other than zero may be smaller than TINY_PRODUCT; else no sum needs to
    be looked at for being subnormal. Warns as NumPy does on overflow; `replay` calls it a few
    thousand times and sets that once.
    """
    total = np.asarray(x.astype(np.float64) * w.astype(np.float64))
    total = np.asarray(np.add(total, a, out=total if total.shape == a.shape else None))
    result = np.asarray(total.astype(np.float32))
    dropped = total.view(np.int64)
    dropped <<= _KEPT
    small = tiny and not np.abs(result).min(initial=np.inf) >= _SMALL  # NaN is looked at
    if small or dropped.min(initial=0) == _TIE:
        doubtful = (dropped == _TIE) | (np.abs(result) < _SMALL)
        x, w, a = (np.broadcast_to(v, result.shape)[doubtful] for v in (x, w, a))
        product = np.multiply(x, w, dtype=np.float64)
        result[doubtful] = odd_sum(product, a.astype(np.float64)).astype(np.float32)
    return result


def fma64(x: Array, w: Array, a: Array) -> Array:
    """Return float64 x * w + a rounded once."""
    x, w, a = (np.asarray(v, np.float64) for v in np.broadcast_arrays(x, w, a))
    high = np.asarray(x * w)
    low = product_error(x, w, high)
    upper, upper_error = two_sum(a, low)
    total, total_error = two_sum(high, upper)
    result = np.asarray(total + odd_sum(total_error, upper_error))
    special = ~(np.isfinite(x) & np.isfinite(w) & np.isfinite(a)) | (x == 0) | (w == 0)
    safe = _within(x) & _within(w) & _within(a)
    result[special] = (high + a)[special]
    by_hand = np.flatnonzero(~(safe | special))
    flat = result.reshape(-1)
    for k in by_hand:
        flat[k] = _rational(float(x.flat[k]), float(w.flat[k]), float(a.flat[k]))
    return flat.reshape(result.shape)


def _within(values: Array) -> Array:
    size = np.abs(values)
    ok: Array = ((size > _RANGE[0]) & (size < _RANGE[1])) | (size == 0)
    return ok


def _rational(x: float, w: float, a: float) -> float:
    """Return x * w + a, x and w not zero; Python divides two integers with one rounding."""
    exact = Fraction(x) * Fraction(w) + Fraction(a)
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")
