"""Numbers as the field writes them."""

from __future__ import annotations

from typing import Any

import numpy as np


def decimal(value: Any) -> str:
    """Write a float so that it round-trips: shortest digits, at least eight after the point.

    Very large and very small values are in scientific form, for the same reason.
    """
    if value.dtype.name == "bfloat16":
        value = np.float32(value)
    if not np.isfinite(value):
        return str(float(value))
    size = abs(float(value))
    if size and not 1e-4 <= size < 1e7:
        return np.format_float_scientific(value, unique=True, min_digits=6)
    digits = 4 if value.dtype == np.float16 else 8
    return np.format_float_positional(value, unique=True, min_digits=digits)


def delta(value: float) -> str:
    """Write a difference in scientific form with its sign."""
    return f"{value:+.8e}"


def count(value: int) -> str:
    """Write a whole number; one too long for a table in powers of ten."""
    return f"{value:,}" if value < 1_000_000 else f"{float(value):.2e}"


def shortest(value: Any) -> float | str:
    """Return a JSON number that round-trips in the value's own format; text if not finite."""
    wide = float(value)
    if not np.isfinite(wide):
        return str(wide)
    if value.dtype.itemsize >= 8:
        return wide
    if value.dtype.name == "bfloat16":
        value = np.float32(wide)
    return float(str(value))


def short(value: float, dtype: str) -> str:
    """Write a sum of a kernel in the fewest digits that tell it from its neighbours.

    A sum that float32 can't hold, of a kernel of a narrower format than float64, is cut at nine.
    """
    if dtype == "float64":
        text = f"{value:.16g}"
        return text if float(text) == value else f"{value:.17g}"
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if single == value:
        value = float(str(single))
    return f"{value:.9g}"
