"""How large a difference may be: the worst case over all orders, and the usual size."""

from __future__ import annotations

from typing import Any

import numpy as np

from convdiff.compare.exact import Scales
from convdiff.compare.floats import Format

Array = np.ndarray[Any, Any]

SCREEN = 8.0
"""c of the screen; what is measured of direct convolutions stays below it."""


def gamma(terms: int, form: Format) -> float:
    """γₙ = n·u / (1 − n·u) (Higham, Accuracy and Stability, §3.1); infinite when n·u ≥ 1."""
    product = terms * form.unit_roundoff
    return product / (1 - product) if product < 1 else float("inf")


def worst_case(scales: Scales, terms: int, form: Format) -> Array:
    """Return 2·γₙ·A: no two legal sums of the same products differ by more, barring underflow.

    One more rounding is allowed for the bias or a narrow output.
    """
    absolute = scales.absolute
    bound = np.zeros_like(absolute)  # and zero where A is, though γ may be infinite
    np.multiply(2 * gamma(terms + 1, form), absolute, out=bound, where=absolute > 0)
    return bound


def screen(scales: Scales, terms: int, form: Format, a: Array, b: Array) -> Array:
    """Return c·u·(√n·L2 + |a| + |b|): what two rounding results usually stay within.

    A first look, not a verdict: same-sign data in sequence may exceed it, and a small bug may not.
    """
    size = np.sqrt(terms) * scales.euclidean
    size = size + np.abs(a.astype(np.float64)) + np.abs(b.astype(np.float64))
    return np.asarray(SCREEN * form.unit_roundoff * size)
