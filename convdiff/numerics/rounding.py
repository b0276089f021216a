"""Rounding to the floating-point formats of convolutions, to nearest with ties to even.

Values of a 16-bit format live in float32 arrays: every one of them is a float32.
"""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array

#: The next wider format that products are summed in, where a kernel does so.
WIDER = {"float32": "float64", "float16": "float32", "bfloat16": "float32"}


#: Significant bits, the hidden one included.
PRECISION = {"float64": 53, "float32": 24, "tf32": 11, "float16": 11, "bfloat16": 8}

#: The smallest normal number, below which a format's values may be taken for zero. Nobody does so
#: to float16: every wider format holds its subnormal numbers as normal ones.
_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126, "tf32": 2.0**-126, "bfloat16": 2.0**-126}


def storage(name: str) -> type[np.floating]:
    """Return the NumPy type that holds values of a format."""
    return np.float64 if name == "float64" else np.float32


def rounded(values: Array, name: str) -> Array:
    """Round float32 or float64 values to the named format, correctly; overflow gives infinities.

    A float64 value that is not a float32 is brought to 16 bits by way of a float32 rounded to odd,
    so that it is rounded once (Boldo and Melquiond, IEEE Trans. Computers 57(4), 2008).
    """
    if name in ("float64", "float32") and values.dtype == storage(name):
        return values
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if name in ("float64", "float32"):
            return values.astype(storage(name))
        if name == "float16":
            return values.astype(np.float16).astype(np.float32)
        return _cut(to_odd_float32(values), 16 if name == "bfloat16" else 13)


def flushed(values: Array, name: str) -> Array:
    """Return the values of a format with its subnormal numbers as zeros of their sign."""
    kept: Array = np.where(np.abs(values) < _NORMAL.get(name, 0.0), np.copysign(0, values), values)
    return kept.astype(values.dtype, copy=False)


def to_odd_float32(values: Array) -> Array:
    """Return float64 values as float32 rounded to odd: an inexact result has its last bit set."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        near = values.astype(np.float32)
    if near.ndim == 0:
        return np.asarray(to_odd_float32(values[None])[0])
    inexact = (near != values) & np.isfinite(values)
    # Overflow rounds to odd downwards: to the largest float32, whose last bit is set.
    even = inexact & ((near.view(np.uint32) & 1 == 0) | np.isinf(near))
    towards = np.where(values > near, np.inf, -np.inf).astype(np.float32)
    near[even] = np.nextafter(near[even], towards[even])
    return near


def _cut(values: Array, bits: int) -> Array:
    """Round float32 values to nearest even with the last `bits` bits zero."""
    raw = np.ascontiguousarray(values).view(np.uint32)
    half = np.uint32((1 << (bits - 1)) - 1)
    odd = (raw >> np.uint32(bits)) & np.uint32(1)
    up = ((raw + half + odd) >> np.uint32(bits)) << np.uint32(bits)
    return np.where(np.isnan(values), raw, up).view(np.float32)
