"""An output held against the exact result: all of it, or a sample of a large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from convdiff.compare.astray import Astray, astray
from convdiff.compare.bounds import gradual, likely, of_wide_sums, screen, worst_case
from convdiff.compare.comparison import (
    Comparison,
    condition_of,
    constant_of,
    misfit,
)
from convdiff.compare.difference import Difference, differs, measure
from convdiff.compare.fp64 import Scales
from convdiff.compare.ratios import ratio_of
from convdiff.compare.reference import Reference
from convdiff.compare.some_outputs import Some, some_outputs
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks
from convdiff.plan.cell import NoBits
from convdiff.plan.plan import Pair
from convdiff.worker.ops.then import at_limits

WHOLE, PRODUCTS = 1 << 18, 2e7
"""Outputs, and products, up to which all outputs are looked at: a tenth of a second's work."""
WIDE = 8.0
"""How many times as long it takes in fp64."""


@dataclass(frozen=True)
class _Differing:
    """Outputs that are not the exact ones: their term sizes, right and observed values, (k,)."""

    scales: Scales
    exact: Array
    observed: Array


def against_exact(
    pair: Pair, output: Array | NoBits, reference: Reference, *, most: int
) -> Comparison:
    """Hold the candidate's output, NHWC, against the correctly rounded one; keep the `most` worst.

    −0 is +0: nobody says which zero is right.
    """
    cells = pair.cells
    if isinstance(output, NoBits):
        return Comparison(pair.axis, *cells, None, reason=output.reason)
    unfit = misfit(reference, pair.candidate, output.shape)
    if unfit:
        return Comparison(pair.axis, *cells, None, unfit, mismatch=True)
    if _is_large(reference, output.size) or reference.exact is None:
        return _of_sample(pair, output, reference, most)
    exact = _legal(reference, output)
    difference = measure(exact, output, strict=False, most=most)
    comparison = Comparison(pair.axis, *cells, difference, constant=_constant(output, reference))
    comparison, beside = _with_astray(comparison, output, reference)
    return _held(comparison, _differing(exact, output, beside, reference), reference)


def _legal(reference: Reference, output: Array) -> Array:
    """Return the exact outputs; NaN where a kernel multiplied zeros of padding, which it may.

    And where the step may take NaN for one of its limits, what it took.
    """
    assert reference.exact is not None
    here = tuple(slice(0, extent) for extent in output.shape)
    exact, untouched = reference.exact[here], reference.untouched(output.shape)
    if untouched is None:
        return exact
    padded = np.isfinite(exact) & ~untouched & np.isnan(output)
    limited = np.isnan(exact) & at_limits(output, reference.conv.then)
    return np.where(padded | limited, output, exact)


def _constant(output: Array, reference: Reference) -> str | None:
    """Return what makes an output say nothing; where the data say so it may be all NaN."""
    decisive = reference.is_finite or not output.any()
    return constant_of(output, reference.conv.then) if decisive else None


def _with_astray(
    comparison: Comparison, output: Array, reference: Reference
) -> tuple[Comparison, Array]:
    """Return the comparison with what is astray, and the mask of the outputs beside it."""
    if reference.kinds is None:
        return comparison, np.ones(output.shape, bool)
    beyond, mask = astray(output, reference)
    untouched = reference.untouched(output.shape)
    assert untouched is not None, "there are kinds"
    beside = untouched & ~mask
    return replace(comparison, astray=(Astray(), beyond)), beside


def _is_large(reference: Reference, outputs: int) -> bool:
    """Return whether to hold so many outputs against the exact ones would take long."""
    wide = reference.tensors.input_nhwc.dtype.itemsize == 8
    products = outputs * reference.conv.taps * (WIDE if wide else 1.0)
    return outputs > WHOLE or products > PRODUCTS


def _of_sample(pair: Pair, output: Array, reference: Reference, most: int) -> Comparison:
    """Hold a sample of a large output against the exact one."""
    some = reference.some.within(output.shape)
    observed = output[tuple(some.index.T)]
    difference = _measured(some, observed, most)
    comparison = Comparison(
        pair.axis,
        pair.baseline,
        pair.candidate,
        difference,
        constant=_constant(output, reference),
        sampled_of=output.size,
    )
    comparison, beside = _with_astray(comparison, output, reference)
    differ = differs(some.exact, observed, strict=False) & beside[tuple(some.index.T)]
    scales = Scales(some.scales.absolute[differ], some.scales.euclidean[differ])
    parts = [_Differing(scales, some.exact[differ], observed[differ])]
    return _held(comparison, iter(parts), reference)


def _measured(some: Some, observed: Array, most: int) -> Difference:
    """Measure a sample, as a row of outputs, with each where it is in the whole output."""
    row = (1, 1, len(observed), 1)
    difference = measure(some.exact.reshape(row), observed.reshape(row), strict=False, most=most)
    if difference.worst is None:
        return difference
    return difference.placed(some.index[difference.worst.index[:, 2]])


def _differing(
    exact: Array, output: Array, beside: Array, reference: Reference
) -> Iterator[_Differing]:
    """Yield what differs of two whole outputs under a mask, a block at a time."""
    for block in blocks(exact.shape):
        here = differs(exact[block], output[block], strict=False) & beside[block]
        if here.any():
            scales = reference.scales_in(block, here)
            yield _Differing(scales, exact[block][here], output[block][here])


@np.errstate(invalid="ignore", over="ignore")
def _held(comparison: Comparison, parts: Iterator[_Differing], reference: Reference) -> Comparison:
    """Hold what differs against what sums of the same products can be off.

    Without flushing to zero at first: that is no rounding.
    """
    terms, form = reference.terms, reference.format
    lost_bits, flushing = gradual(terms, form), reference.underflow
    bound = usual = chance = wide = flushed = 0.0
    least = np.inf
    for part in parts:
        x, y = part.exact.astype(np.float64), part.observed.astype(np.float64)
        size = np.abs(y - x)
        lost = ~np.isfinite(size)
        size[lost] = 0.0
        least = min(least, float(part.scales.absolute[lost].min(initial=np.inf)))
        bound = max(bound, ratio_of(size, worst_case(part.scales, terms, form, lost_bits)))
        usual = max(usual, ratio_of(size, screen(part.scales, terms, form, x, y, lost_bits)))
        chance = max(chance, ratio_of(size, likely(part.scales, terms, form, x, y, lost_bits)))
        wide = max(wide, ratio_of(size, of_wide_sums(part.scales, terms, form, x, y)))
        flushed = max(flushed, ratio_of(size, worst_case(part.scales, terms, form, flushing)))
    return replace(
        _with_worst(comparison, reference),
        bound_ratio=bound,
        screen_ratio=usual,
        likely_ratio=chance,
        wide_ratio=wide,
        is_flushed=bound > 1 >= flushed,
        overflows=reference.overflows(least),
    )


def _with_worst(comparison: Comparison, reference: Reference) -> Comparison:
    """Return the comparison with the exact values of its worst elements, and the condition."""
    difference = comparison.difference
    if difference is None or difference.worst is None:
        return comparison
    top = some_outputs(reference.conv, reference.finite, difference.worst.index[:1])
    exact = difference.worst.baseline
    condition = condition_of(float(top.scales.absolute[0]), float(exact[0]))
    return replace(comparison, constant=None, exact=exact, condition=condition)
