"""The floating-point formats of a convolution: precision, unit roundoff, ulps, exact rounding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from convdiff.numerics.array import Array


@dataclass(frozen=True)
class Format:
    """An IEEE-like binary format."""

    name: str
    precision: int
    """Significant bits, the hidden one included."""
    largest: float
    bits: np.dtype[Any]
    """The unsigned integer of the same width."""
    flushed: float
    """What is smaller may be taken for zero: the smallest normal number, in float16 (which nobody
    flushes) the smallest of all."""

    @property
    def unit_roundoff(self) -> float:
        """The unit roundoff u = 2^-p, the largest relative error of one rounding to nearest."""
        return float(2.0**-self.precision)


FORMATS = {
    "float16": Format("float16", 11, 65504.0, np.dtype(np.uint16), 2.0**-24),
    "bfloat16": Format("bfloat16", 8, 3.3895313892515355e38, np.dtype(np.uint16), 2.0**-126),
    "float32": Format("float32", 24, 3.4028234663852886e38, np.dtype(np.uint32), 2.0**-126),
    "float64": Format("float64", 53, 1.7976931348623157e308, np.dtype(np.uint64), 2.0**-1022),
}


def format_of(array: Array) -> Format:
    """Return the format of an array's dtype."""
    return FORMATS[array.dtype.name]


def ordered(array: Array) -> Array:
    """Map floats to int64 such that neighbours differ by 1 and −0 and +0 are both 0.

    The usual sign-magnitude trick: negative floats count down from zero.
    """
    form = format_of(array)
    raw = np.ascontiguousarray(array).view(form.bits)
    sign = form.bits.type(1 << (8 * form.bits.itemsize - 1))
    magnitude = (raw & ~sign).astype(np.int64)
    return np.asarray(np.where(raw & sign, -magnitude, magnitude))


def ulps(a: Array, b: Array) -> Array:
    """Return how many representable steps lie between a and b, as uint64, element by element.

    Meaningful where both are finite. Differences beyond int64 (fp64 of opposite signs) saturate.
    """
    x, y = ordered(a), ordered(b)
    with np.errstate(over="ignore"):
        distance = np.where(x > y, x - y, y - x)
    return np.where(distance < 0, np.iinfo(np.int64).max, distance).astype(np.uint64)


def spacing(values: Array, form: Format) -> Array:
    """Return one ulp at each |value| in fp64: the gap to the next larger magnitude."""
    _, exponent = np.frexp(np.abs(values.astype(np.float64)))
    lowest = {"float16": -24, "bfloat16": -133, "float32": -149, "float64": -1074}[form.name]
    power = np.maximum(exponent - form.precision, lowest)
    return np.asarray(np.ldexp(1.0, np.where(values == 0, lowest, power)))


def round_to(values: Array, dtype: np.dtype[Any]) -> Array:
    """Round fp64 to `dtype` once, to nearest even.

    bfloat16 is reached through fp32 rounded to odd, so that no double rounding happens (Boldo and
    Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
    """
    with np.errstate(over="ignore"):
        if dtype.name != "bfloat16":
            return np.asarray(values.astype(dtype))
        near = values.astype(np.float32)
    toward = np.where(np.abs(near.astype(np.float64)) > np.abs(values), np.nextafter(near, 0), near)
    odd = toward.astype(np.float32).view(np.uint32)
    inexact = np.isfinite(values) & (toward.astype(np.float64) != values)
    return np.asarray((odd | inexact.astype(np.uint32)).view(np.float32).astype(dtype))


def round_fraction(value: Fraction, dtype: np.dtype[Any]) -> Array:
    """Round an exact rational to `dtype`, to nearest even; returns a 0-d array."""
    form = FORMATS[dtype.name]
    largest = Fraction(form.largest)
    if abs(value) >= largest + largest / (2 * (2**form.precision - 1)):  # half an ulp beyond
        return np.array(np.inf if value > 0 else -np.inf).astype(dtype)
    if value == 0:
        return np.zeros((), dtype)
    guess = round_to(np.array([float(max(-largest, min(value, largest)))]), dtype)
    raw = guess.view(form.bits)
    steps = np.array([raw[0] - 1 if raw[0] else raw[0], raw[0], raw[0] + 1], form.bits)
    around = [c for c in steps.view(dtype) if np.isfinite(np.float64(c))]
    best = min(
        around,
        key=lambda c: (abs(value - Fraction(float(c))), int(np.array([c]).view(form.bits)[0]) & 1),
    )
    return np.array(best, dtype)


def hexes(array: Array) -> list[str]:
    """Write values as C99 hexadecimal floats, as in 0x1.e6f5f4p+5."""
    return [float(value).hex() for value in array.astype(np.float64).ravel()]
