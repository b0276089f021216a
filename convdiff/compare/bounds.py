"""How large a difference may be: the worst case over all orders, and the usual size."""

from __future__ import annotations

import numpy as np

from convdiff.compare.fp64 import Scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format

SCREEN = 8.0
"""c of the screen; what is measured of direct convolutions stays below it."""


def gamma(terms: int, form: Format) -> float:
    """γₙ = n·u / (1 − n·u) (Higham, Accuracy and Stability, §3.1); infinite when n·u ≥ 1."""
    product = terms * form.unit_roundoff
    return product / (1 - product) if product < 1 else float("inf")


def worst_case(scales: Scales, terms: int, form: Format, underflow: float = 0.0) -> Array:
    """Return 2·γₙ·A + underflow: no two legal sums of the same products differ by more.

    One more rounding is allowed for the bias or a narrow output. underflow: see `underflow`.
    """
    factor, absolute = 2 * gamma(terms + 1, form), scales.absolute
    bound = factor * absolute if np.isfinite(factor) else np.where(absolute > 0, np.inf, 0.0)
    return np.asarray(bound + underflow)


def underflow(terms: int, form: Format, largest: float) -> float:
    """Return what two sums of so many terms differ by at most where one flushes to zero.

    An underflow is an absolute error (Higham, Accuracy and Stability, §2.8): of each input and
    weight, times the largest of the other, of each product and of each sum. largest: the sum of the
    largest |x| and the largest |w|.
    """
    return 4 * (terms + 1) * form.flushed * (1 + largest)


def gradual(terms: int, form: Format) -> float:
    """Return what a sum of so many terms is off at most for its products and itself being tiny.

    Where nothing is flushed to zero, an underflow costs half the smallest number a rounding, and
    sums of subnormal numbers are exact.
    """
    return (terms + 1) * form.smallest


def likely(
    scales: Scales, terms: int, form: Format, a: Array, b: Array, underflow: float = 0.0
) -> Array:
    """Return 8·√n·u·A + u·(|a| + |b|) + underflow: what one sum's roundings give unless biased.

    Roundings of random signs make √n of what the worst case makes of n (Higham and Mary, "A new
    approach to probabilistic rounding error analysis", 2019), whatever the order. More than 8 is
    left to those that all go one way.
    """
    size = SCREEN * np.sqrt(terms) * scales.absolute
    size = size + np.abs(a.astype(np.float64)) + np.abs(b.astype(np.float64))
    return np.asarray(form.unit_roundoff * size + underflow)


def screen(
    scales: Scales, terms: int, form: Format, a: Array, b: Array, underflow: float = 0.0
) -> Array:
    """Return c·u·(√n·L2 + |a| + |b|) + underflow: what two rounding results usually stay within.

    A first look, not a verdict: same-sign data in sequence may exceed it, and a small bug may not.
    """
    size = np.sqrt(terms) * scales.euclidean
    size += np.abs(a)
    size += np.abs(b)
    size *= SCREEN * form.unit_roundoff
    size += underflow
    return np.asarray(size)


def of_wide_sums(scales: Scales, terms: int, form: Format, a: Array, b: Array) -> Array:
    """Return what sums kept in float32, rounded to `form` once, usually stay within of exact.

    Infinite for formats that are no narrower: their sums are all that is known.
    """
    wide = FORMATS["float32"]
    if form.precision >= wide.precision:
        return np.full(scales.absolute.shape, np.inf)
    stored = 2 * form.unit_roundoff * np.maximum(np.abs(a), np.abs(b)) + form.smallest
    return np.asarray(screen(scales, terms, wide, a, b) + stored)
