"""Some outputs of a large convolution: which are looked at, their exact values and term sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import Scales, whole_addend
from convdiff.compare.rational import exact_at
from convdiff.numerics.array import Array
from convdiff.numerics.eft import product_error
from convdiff.numerics.floats import round_to
from convdiff.numerics.spread import spread
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import clamped

MOST, FEWEST = 2000, 64
"""Outputs of a sample …"""
PRODUCTS = 1 << 23
"""… as far as they have no more products than these; a few outputs are always looked at."""
AT_ONCE = 1 << 20
"""Products in memory at once."""


@dataclass(frozen=True)
class Some:
    """Some outputs, in C order."""

    index: Array
    """(k, 4) int64, NHWC."""
    exact: Array
    """(k,) correctly rounded, in the case's dtype."""
    scales: Scales
    """(k,) each."""

    def within(self, shape: tuple[int, ...]) -> Some:
        """Return those that an output of this NHWC shape has, which begins where all begin."""
        kept = (self.index < np.array(shape)).all(axis=1)
        scales = Scales(self.scales.absolute[kept], self.scales.euclidean[kept])
        return Some(self.index[kept], self.exact[kept], scales)


def some_outputs(conv: Convolution, tensors: Tensors, index: Array) -> Some:
    """Return the exact values and term sizes of the outputs at (k, 4) positions."""
    step = max(1, AT_ONCE // (conv.taps * conv.groups))
    parts = [_part(conv, tensors, index[at : at + step]) for at in range(0, len(index), step)]
    exact, absolute, squares = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Some(index, exact, Scales(absolute, np.sqrt(squares)))


def sample(shape: tuple[int, ...], taps: int) -> Array:
    """Return some positions of an output, (k, 4), as `spread` has them: few where taps are many."""
    return spread(shape, min(math.prod(shape), MOST, max(FEWEST, PRODUCTS // taps)))


@np.errstate(over="ignore", invalid="ignore")
def _part(conv: Convolution, tensors: Tensors, index: Array) -> tuple[Array, Array, Array]:
    """Return exact values, A and L2² of some outputs, (k,) each."""
    dtype = tensors.input_nhwc.dtype
    a, b = _terms(conv, tensors, index)
    products = a * b
    terms = [products]
    if dtype == np.float64:
        terms.append(product_error(a, b, products))
    if tensors.bias is not None:
        bias = tensors.bias.astype(np.float64)[index[:, 3], None]
        terms.append(bias)
        products = np.concatenate([products, bias], axis=1)
    added = whole_addend(conv, tensors)
    if added is not None:
        terms.append(added[tuple(index.T)][:, None])
        products = np.concatenate([products, terms[-1]], axis=1)
    sums = np.array([_sum(row) for row in np.concatenate(terms, axis=1).tolist()])
    if dtype == np.float64:
        doubtful = _beyond_fp64(a, b) & (np.isfinite(a) & np.isfinite(b)).all(axis=1)
        values = _anew(conv, tensors, index, sums, doubtful)
    else:
        values = _narrowed(sums, products, dtype)
    values = np.asarray(clamped(conv.then, values))
    return values, np.abs(products).sum(axis=1), np.square(products).sum(axis=1)


def _terms(conv: Convolution, tensors: Tensors, index: Array) -> tuple[Array, Array]:
    """Return the inputs and weights of some outputs' taps, in fp64: (k, taps) each."""
    n, y, x, channel = index.T
    group = channel // (conv.channels_out // conv.groups)
    fields = np.asarray(conv.windows(tensors.input_nhwc))[n, y, x]
    fields = fields.reshape(len(index), *conv.window, conv.groups, -1)
    own = fields[np.arange(len(index)), :, :, group].reshape(len(index), conv.taps)
    weights = tensors.filter_hwio[..., channel].reshape(conv.taps, len(index)).T
    return own.astype(np.float64), weights.astype(np.float64)


def _sum(terms: list[float]) -> float:
    """Return the sum of fp64 numbers rounded once; infinite or NaN where it is not finite."""
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):
        return math.nan


def _narrowed(sums: Array, terms: Array, dtype: np.dtype[Any]) -> Array:
    """Round exact sums, (k,), of which the fp64 rounding is known, to a narrower format.

    Rounding twice is wrong only where the fp64 number is a tie, whose last bit is 0: there the sign
    of what it left of the sum says to which side the sum lies, as in rounding to odd (`odd_sum`).
    Products of narrower formats are exact.
    """
    below = round_to(np.nextafter(sums, -np.inf), dtype)
    above = round_to(np.nextafter(sums, np.inf), dtype)
    even = (sums.view(np.int64) & 1) == 0
    for row in np.flatnonzero((below != above) & even & np.isfinite(sums)):
        rest = _sum([*terms[row].tolist(), -float(sums[row])])
        if rest:
            sums[row] = np.nextafter(sums[row], np.copysign(np.inf, rest))
    return round_to(sums, dtype)


def _beyond_fp64(a: Array, b: Array) -> Array:
    """Mask the rows of which a product is too small or too large to be exact in two fp64 parts."""
    sizes = np.abs(a * b)
    lost = (sizes == 0) & (a != 0) & (b != 0)
    return np.asarray((lost | ((sizes > 0) & (sizes < 2.0**-960)) | (sizes > 2.0**960)).any(axis=1))


def _anew(conv: Convolution, tensors: Tensors, index: Array, sums: Array, doubtful: Array) -> Array:
    """Return the sums with those under the mask by rational arithmetic."""
    for row in np.flatnonzero(doubtful):
        n, y, x, channel = (int(i) for i in index[row])
        sums[row] = exact_at(conv, tensors, (n, y, x, channel))
    return sums
