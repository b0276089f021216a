"""The numbers of a probe, made from a few integers; runs in any interpreter under test.

Only leaf indices travel between processes; filters, inputs and biases are built where they are
used. A tap is an index into (kh, kw, cin/groups) in C order; the bias, where there is one, is the
leaf after the last tap. Each output channel of one call carries its own probe, a row of four
integers whose meaning depends on the kind, or all carry one vector:

    kind    row             numbers
    mask    i, j, lo, hi    x = 1; +M at leaf i, -M at leaf j, a unit at all others of [lo, hi)
    fused   i, j, -, -      x = c; w = c at tap i, -c at leaf j, with c * c just above a float
    zero    -               x = 1; every weight and bias is -0
    random  seed            seeded numbers of both signs over a few binades (row of channel 0)
    vector  w of each leaf  x = c; one row of floats a call, the same weights in all channels

A kind may name another scale than the dtype's own, as in mask:narrow, for kernels of a wide dtype
that keep sums or operands in a narrow format.
A row whose i is negative has no entry of its own. bfloat16 numbers are float32 arrays that hold
bfloat16 values, because NumPy has no such type; the caller narrows them, which is exact.
Needs NumPy 1.16 or newer, Python 3.6 or newer, and nothing else.
"""

from typing import Any, Tuple

import numpy as np

#: dtype -> (unit, mask M, c - 1). M swamps the units of a whole probe even in a wider accumulator
#: (float64 behind float32, float32 behind the 16-bit types), and c * c lies at most half an ulp
#: above 1 + 2 (c - 1), which is where it is rounded to.
SCALES = {
    "float64": (1.0, 2.0**1000, 2.0**-27),
    "float32": (1.0, 2.0**100, 2.0**-12),
    "float16": (2.0**-24, 2.0**15, 2.0**-6),
    "bfloat16": (1.0, 2.0**100, 2.0**-4),
    "narrow": (2.0**-24, 2.0**15, 2.0**-6),
}

#: How many units an output of this dtype can count without error, halved for safety.
COUNTABLE = {"float64": 2**52, "float32": 2**23, "float16": 1024, "bfloat16": 128, "narrow": 128}

#: Mantissa bits of the random numbers: all that the dtype has.
_BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}

_STORED = {"float64": "float64", "float32": "float32", "float16": "float16", "bfloat16": "float32"}


def stored(dtype):  # type: (str) -> np.dtype
    """Return the NumPy dtype in which tensors of `dtype` travel."""
    return np.dtype(_STORED[dtype])


def probe_input(kind, taps, input_nhwc, dtype):
    # type: (str, np.ndarray, tuple[int, ...], str) -> np.ndarray
    """Return the NHWC input of one call: a constant, but for random data.

    taps: (cout, 4) integers, one row a channel; of a vector (leaves,) floats.
    """
    if kind == "random":
        return _random(int(taps[0, 0]) * 3, input_nhwc, dtype)
    value = 1.0
    name, scale = _named(kind, dtype)
    if name in ("fused", "vector"):
        value = 1.0 + scale[2]
    return np.full(input_nhwc, value, stored(dtype))


def probe_weights(
    kind: str, taps: Any, filter_hwio: Any, has_bias: bool, dtype: str, window: Any = None
) -> Tuple[Any, Any]:
    """Return the HWIO filter and the (cout,) bias (or None) of one call.

    taps: (cout, 4) integers, one row a channel; of a vector (leaves,) floats. window: the rows and
    columns of the filter that the taps are in, where they are not all; elsewhere weights are +0.
    Raises KeyError for an unknown kind.
    """
    if window is not None:
        within = tuple(map(len, window)) + tuple(filter_hwio[2:])
        weights, bias = probe_weights(kind, taps, within, has_bias, dtype)
        return embedded(weights, filter_hwio, window), bias
    kh, kw, cin, cout = filter_hwio
    n = kh * kw * cin
    if kind == "vector":
        leaves = np.repeat(np.asarray(taps, stored(dtype))[:, None], cout, axis=1)
        return leaves[:n].reshape(filter_hwio), leaves[n] if has_bias else None
    if kind == "random":
        seed = int(taps[0, 0]) * 3
        weights = _random(seed + 1, filter_hwio, dtype)
        return weights, _random(seed + 2, (cout,), dtype) if has_bias else None
    name, scale = _named(kind, dtype)
    leaves = _FILL[name](np.asarray(taps), n, dtype, scale)
    weights = np.ascontiguousarray(leaves[:n]).reshape(filter_hwio)
    return weights, leaves[n].copy() if has_bias else None


def embedded(weights: Any, filter_hwio: Any, window: Any) -> Any:
    """Return a filter that is +0 but for the weights at a window: some rows and columns."""
    whole = np.zeros(filter_hwio, weights.dtype)
    whole[np.ix_(*window)] = weights
    return whole


def _named(kind, dtype):  # type: (str, str) -> tuple[str, tuple[float, float, float]]
    """Return a kind without its scale, and the scale."""
    name, _, scale = kind.partition(":")
    return name, SCALES[scale or dtype]


def _blank(taps, n, dtype, value=0.0):
    # type: (np.ndarray, int, str, float) -> np.ndarray
    """Return (n + 1, cout) leaves, the bias in the last row."""
    return np.full((n + 1, len(taps)), value, stored(dtype))


def _put(leaves, rows, value):
    # type: (np.ndarray, np.ndarray, np.ndarray | float) -> None
    """Write one value a channel at its leaf, where it has one."""
    channels = np.flatnonzero(rows >= 0)
    leaves[rows[channels], channels] = np.broadcast_to(value, rows.shape)[channels]


def _mask(taps, n, dtype, scale):
    # type: (np.ndarray, int, str, tuple[float, float, float]) -> np.ndarray
    unit, mask, _ = scale
    low, high = taps[:, 2], taps[:, 3]
    if low.max() <= 0 and high.min() > n:
        leaves = _blank(taps, n, dtype, unit)
    else:
        leaf = np.arange(n + 1)[:, None]
        leaves = np.where((leaf >= low) & (leaf < high), unit, 0.0).astype(stored(dtype))
    _put(leaves, taps[:, 0], mask)
    _put(leaves, taps[:, 1], -mask)
    return leaves


def _fused(taps, n, dtype, scale):
    # type: (np.ndarray, int, str, tuple[float, float, float]) -> np.ndarray
    step = scale[2]
    leaves = _blank(taps, n, dtype)
    _put(leaves, taps[:, 0], 1.0 + step)
    # The bias is a value, not a factor: there the opposite is the rounded product itself.
    _put(leaves, taps[:, 1], np.where(taps[:, 1] == n, -(1.0 + 2.0 * step), -(1.0 + step)))
    return leaves


def _zero(taps, n, dtype, scale):
    # type: (np.ndarray, int, str, tuple[float, float, float]) -> np.ndarray
    return _blank(taps, n, dtype, -0.0)


_FILL = {
    "mask": _mask,
    "fused": _fused,
    "zero": _zero,
}


def _random(seed, shape, dtype):
    # type: (int, tuple[int, ...], str) -> np.ndarray
    """Return seeded numbers of both signs, magnitudes in [1/2, 4), all mantissa bits in use.

    The bits come from the SplitMix64 finaliser over a counter (Steele, Lea and Flood, OOPSLA
    2014), because NumPy's own generators differ between the versions on the two sides.
    """
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed * 2**32 % 2**64)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    bits = _BITS[dtype]
    # The leading bit is set, the others are random; sign and binade come from the lowest bits.
    mantissa = (z >> np.uint64(65 - bits)) | np.uint64(1 << (bits - 1))
    scale = np.array([1, -1, 2, -2, 4, -4, 2, -2]) * 2.0**-bits
    values = mantissa.astype(np.float64) * scale[(z & np.uint64(7)).astype(np.intp)]
    return np.asarray(values.reshape(shape), stored(dtype))
