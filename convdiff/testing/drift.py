"""What `assert_invariant` finds at one size of its input."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.numerics.array import Array


@dataclass(frozen=True)
class Drift:
    """How the output at one size differs from the beginning of the whole's."""

    size: int
    elements: int
    differing: int
    largest: float
    """max |Δ|; infinite where one side is not finite."""
    ulp: int | None
    """The most, where both sides are finite; None for integers, or where none are."""
    index: Array
    """(k, ndim) int64: positions of the worst elements, worst first."""
    whole: Array
    part: Array
    """(k,): the values there."""
    delta: Array
    """(k,) float64: part − whole."""
