"""The floating-point formats of a convolution: precision, unit roundoff, ulps, exact rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.rounding import to_odd_float32


@dataclass(frozen=True)
class Format:
    """An IEEE-like binary format."""

    name: str
    precision: int
    """Significant bits, the hidden one included."""
    largest: float
    bits: np.dtype[Any]
    """The unsigned integer of the same width."""
    smallest: float
    """The smallest positive value, a subnormal."""
    flushed: float
    """What is smaller may be taken for zero: the smallest normal number, in float16 (which nobody
    flushes) the smallest of all."""

    @property
    def unit_roundoff(self) -> float:
        """The unit roundoff u = 2^-p, the largest relative error of one rounding to nearest."""
        return float(2.0**-self.precision)


def _format(dtype: Any, flushed: str) -> Format:
    """Return a format by its own library's account; `flushed` names the entry of the account."""
    info = ml_dtypes.finfo(dtype)
    return Format(
        name=np.dtype(dtype).name,
        precision=info.nmant + 1,
        largest=float(info.max),
        bits=np.dtype(f"u{info.bits // 8}"),
        smallest=float(info.smallest_subnormal),
        flushed=float(getattr(info, flushed)),
    )


FORMATS = {
    "float16": _format(np.float16, "smallest_subnormal"),
    "bfloat16": _format(ml_dtypes.bfloat16, "smallest_normal"),
    "float32": _format(np.float32, "smallest_normal"),
    "float64": _format(np.float64, "smallest_normal"),
}

MOST_STEPS = 2**63 - 1
"""More representable steps are not counted."""

HALF_OVERFLOW = 2.0**16
"""float16 holds no number of this size."""


def format_of(array: Array) -> Format:
    """Return the format of an array's dtype."""
    return FORMATS[array.dtype.name]


def ordered(array: Array) -> Array:
    """Map floats to integers of their width, such that neighbours differ by 1 and both zeros are 0.

    The usual sign-magnitude trick: negative floats count down from zero.
    """
    form = format_of(array)
    width = 8 * form.bits.itemsize
    raw = np.ascontiguousarray(array).view(f"i{form.bits.itemsize}")
    negative = raw >> (width - 1)  # −1 where the sign bit is set, else 0
    keys = raw & ((1 << (width - 1)) - 1)
    keys ^= negative
    keys -= negative
    return np.asarray(keys)


def steps_between(a: Array, b: Array) -> Array:
    """Return how many representable steps lie between a and b, as unsigned integers of their width.

    Meaningful where both are finite.
    """
    x, y, bits = ordered(a), ordered(b), format_of(a).bits
    steps = np.maximum(x, y).view(bits)
    with np.errstate(over="ignore"):
        steps -= np.minimum(x, y, out=x).view(bits)
    return np.asarray(steps)


def ulps(a: Array, b: Array) -> Array:
    """Return how many representable steps lie between a and b, as uint64, element by element.

    Meaningful where both are finite. Differences beyond int64 (fp64 of opposite signs) saturate.
    """
    steps = steps_between(a, b).astype(np.uint64)
    return np.asarray(np.minimum(steps, np.uint64(MOST_STEPS)))


def spacing(values: Array, form: Format) -> Array:
    """Return one ulp at each |value| in fp64: the gap to the next larger magnitude."""
    _, exponent = np.frexp(np.abs(values.astype(np.float64)))
    lowest = math.frexp(form.smallest)[1] - 1
    power = np.maximum(exponent - form.precision, lowest)
    return np.asarray(np.ldexp(1.0, np.where(values == 0, lowest, power)))


def round_to(values: Array, dtype: np.dtype[Any]) -> Array:
    """Round fp64 to `dtype` once, to nearest even.

    bfloat16 is reached through fp32 rounded to odd, so that no double rounding happens (Boldo and
    Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
    """
    with np.errstate(over="ignore"):
        if dtype.kind == "V":  # bfloat16; its `name` takes longer to read than rounding takes
            values = to_odd_float32(values)
        return np.asarray(values.astype(dtype))


def round_fraction(value: Fraction, dtype: np.dtype[Any]) -> Array:
    """Round an exact rational to `dtype`, to nearest even; returns a 0-d array."""
    form = FORMATS[dtype.name]
    largest = Fraction(form.largest)
    if abs(value) >= largest + largest / (2 * (2**form.precision - 1)):  # half an ulp beyond
        return np.array(np.inf if value > 0 else -np.inf).astype(dtype)
    if value == 0:
        return np.zeros((), dtype)
    guess = round_to(np.array([float(max(-largest, min(value, largest)))]), dtype)
    raw = int(guess.view(form.bits)[0])
    around = np.array([max(raw - 1, 0), raw, raw + 1], form.bits)

    def miss(bits: np.unsignedinteger[Any]) -> tuple[Fraction, int]:
        """Return how far a neighbour is, and whether it is odd, which decides a tie."""
        neighbour = float(np.array([bits]).view(dtype)[0])
        return abs(value - Fraction(neighbour)), int(bits) & 1

    finite = around[np.isfinite(around.view(dtype).astype(np.float64))]
    return np.array(min(finite, key=miss), form.bits).view(dtype)


def hexes(array: Array) -> list[str]:
    """Write values as C99 hexadecimal floats, as in 0x1.e6f5f4p+5."""
    return [float(value).hex() for value in array.astype(np.float64).ravel()]
