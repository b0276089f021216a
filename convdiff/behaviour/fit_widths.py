"""Which narrower formats explain an output on its own data, where no kernel can be probed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from convdiff.behaviour.rounding_widths import ROUNDINGS
from convdiff.case.arrays import Tensors
from convdiff.compare.bounds import screen
from convdiff.compare.fp64 import plain_fp64, scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.convolution import Convolution

WIDTHS = {11: "TF32 or float16", 8: "bfloat16", 4: "fp8 e4m3", 3: "fp8 e5m2"}
"""Significant bits that are tried, and whose they are."""
HALVES = len(ROUNDINGS) - 1
"""Which of ROUNDINGS keeps two numbers of so many bits."""
FEW = 3
"""So many outputs must be off, lest one of all that is tried fits them by chance."""
GLANCE = 2**24
"""Products of a part of the output that each is tried on first."""

Parts = tuple[bool, bool, bool]
"""Whether inputs, weights and the bias are narrowed."""
NAMES: dict[Parts, str] = {
    (True, True, False): "inputs and weights",
    (True, False, False): "inputs",
    (False, True, False): "weights",
    (True, True, True): "inputs, weights and bias",
    (False, False, True): "bias",
}


@dataclass(frozen=True)
class Narrowing:
    """One way to lose bits before the products are summed; none of `parts` is none."""

    parts: Parts = (False, False, False)
    bits: int = 0
    rounding: int = 0
    """Which of ROUNDINGS."""

    def of(self, tensors: Tensors) -> Tensors:
        """Return the arrays as they are multiplied, in fp64 where they are narrowed."""
        given = (tensors.input_nhwc, tensors.filter_hwio, tensors.bias)
        x, w, b = (
            self._kept(array) if narrow and array is not None else array
            for narrow, array in zip(self.parts, given, strict=True)
        )
        assert x is not None and w is not None
        return Tensors(w, b, x)

    def _kept(self, array: Array) -> Array:
        return ROUNDINGS[self.rounding](array.astype(np.float64), self.bits)


@dataclass(frozen=True)
class _Question:
    """An output, NHWC in fp64, with its data and how far rounding may take each element."""

    conv: Convolution
    tensors: Tensors
    observed: Array
    limit: Array
    kept: int = 0
    """Bits that the output keeps, where these are fewer than its format has."""

    def off(self, narrowing: Narrowing) -> int:
        """Return how many elements are further off than rounding may take them."""
        result = plain_fp64(self.conv, narrowing.of(self.tensors))
        low, high = result - self.limit, result + self.limit
        if not self.kept:
            return self._outside(low, high)
        # What is rounded once more lies between the ends, rounded so: half of its last place more
        # would let through integers that are off by one.
        return min(
            self._outside(rounding(low, self.kept), rounding(high, self.kept))
            for rounding in ROUNDINGS[:HALVES]
        )

    def _outside(self, low: Array, high: Array) -> int:
        return int(np.count_nonzero(~((low <= self.observed) & (self.observed <= high))))

    def glance(self) -> _Question:
        """Return the question of the first image's first rows, or of all where there is padding."""
        if self.conv.is_padded or len(self.conv.kernel) > 2:
            return self
        a_row = self.observed[0, 0].size * self.conv.taps
        rows = min(self.observed.shape[1], max(1, GLANCE // a_row))
        height = (rows - 1) * self.conv.strides[0] + self.conv.reach[0]
        x = np.ascontiguousarray(self.tensors.input_nhwc[:1, :height])
        return replace(
            self,
            tensors=replace(self.tensors, input_nhwc=x),
            observed=self.observed[:1, :rows],
            limit=self.limit[:1, :rows],
        )


def fit_widths(conv: Convolution, tensors: Tensors, output: Array) -> str | None:
    """Name the narrowing that an output is within rounding of, of inputs, weights, bias or output.

    None where rounding takes the exact result itself there, or where nothing that is tried fits.
    output: NHWC, in the case's dtype; so are the tensors, the input cut to what the output saw.
    """
    observed, form = output.astype(np.float64), format_of(tensors.input_nhwc)
    if not np.isfinite(observed).all():
        return None
    sizes = scales(conv, tensors)
    limit = screen(sizes, conv.taps + 1, form, observed, observed)
    if _Question(conv, tensors, observed, limit).off(Narrowing()) < FEW:
        return None
    kept = _kept(observed, form.precision)
    narrowing = _first(_Question(conv, tensors, observed, limit, kept), form.precision)
    return None if narrowing is None else _said(narrowing, kept)


def _first(question: _Question, precision: int) -> Narrowing | None:
    """Return the first narrowing that explains all outputs."""
    glance = question.glance()
    for narrowing in _narrowings(precision):
        if not glance.off(narrowing) and not question.off(narrowing):
            return narrowing
    return None


def _narrowings(precision: int) -> Iterator[Narrowing]:
    """Yield all that is tried in a format of this precision: first none, then the mildest."""
    yield Narrowing()
    for bits in WIDTHS:
        if bits < precision:
            for rounding in range(len(ROUNDINGS)):
                for parts in NAMES:
                    yield Narrowing(parts, bits, rounding)


def _kept(observed: Array, precision: int) -> int:
    """Return how many bits the outputs have at most: one of WIDTHS, or 0 for the format's own."""
    nearest = ROUNDINGS[0]
    fewer = [bits for bits in WIDTHS if bits < precision]
    holding = [bits for bits in fewer if np.array_equal(nearest(observed, bits), observed)]
    return min(holding, default=0)


def _said(narrowing: Narrowing, kept: int) -> str:
    facts = []
    if any(narrowing.parts):
        twice = "twice " if narrowing.rounding == HALVES else ""
        facts.append(
            f"{NAMES[narrowing.parts]} of {twice}{narrowing.bits} bits ({WIDTHS[narrowing.bits]})"
        )
    if kept:
        facts.append(f"an output of {kept} bits ({WIDTHS[kept]})")
    return f"its numbers fit {' and '.join(facts)}"
