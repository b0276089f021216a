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


def fma32_chain(x: Array, w: Array, a: Array) -> Array:
    """Return x[0] * w[0] + a, that plus x[1] * w[1], and so on, each rounded once to float32.

    x, w: (k, ...), as `fma32` has them, no product tiny; a: float32, of a sum's shape. Two array
    operations a sum; whether one of them was rounded twice is looked at in the end.
    """
    sums, doubtful = _chain32(x, w, a)
    for k in range(doubtful, len(sums)):
        sums[k] = fma32(x[k], w[k], sums[k - 1] if k else a, tiny=False)
    return sums


def _chain32(x: Array, w: Array, a: Array) -> tuple[Array, int]:
    """Return the sums, and the first that may be wrong: its float64 sum is inexact, and a tie."""
    totals = np.multiply(x, w, dtype=np.float64)
    sums = np.empty((len(totals) + 1, *totals.shape[1:]), np.float32)
    sums[0] = a
    for total, last, result in zip(totals, sums[:-1], sums[1:], strict=True):
        np.add(total, last, out=total)
        result[...] = total
    ties = totals.view(np.int64) << _KEPT == _TIE
    if ties.any():
        x, w, a = (np.broadcast_to(v, ties.shape)[ties] for v in (x, w, sums[:-1]))
        ties[ties] = two_sum(np.multiply(x, w, dtype=np.float64), a.astype(np.float64))[1] != 0
    where = np.flatnonzero(ties.reshape(len(ties), -1).any(axis=1))
    return sums[1:], int(where[0]) if len(where) else len(ties)


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
