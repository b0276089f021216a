"""Two observations, aligned and measured: what a verdict is given on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.case.model import Axis
from convdiff.compare.alignment import aligned
from convdiff.compare.bounds import screen, worst_case
from convdiff.compare.difference import Difference, measure
from convdiff.compare.floats import spacing
from convdiff.compare.reference import Reference
from convdiff.recording.observation import Cell, Observation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Nearness:
    """How far each side is from the exact result, in ulps of the exact result at most."""

    baseline: float
    candidate: float
    baseline_abs: float
    candidate_abs: float

    @property
    def nearer(self) -> str:
        """Return which side is closer at its worst: baseline, candidate or neither."""
        if self.baseline_abs == self.candidate_abs:
            return "neither"
        return "baseline" if self.baseline_abs < self.candidate_abs else "candidate"


@dataclass(frozen=True)
class Comparison:
    """One comparison, measured."""

    axis: Axis
    baseline: Cell
    candidate: Cell
    difference: Difference | None
    """None where a side is missing or the shapes do not match."""
    reason: str | None = None
    """Why there is no difference to speak of."""
    mismatch: bool = False
    """Both sides are there, with shapes that do not match."""
    constant: str | None = None
    """What makes equality prove little: all zero, all NaN, saturated."""
    bound_ratio: float = 0.0
    """max |Δ| / 2γₙA; above 1 no two sums of the same products can differ so."""
    screen_ratio: float = 0.0
    """max |Δ| / screen; below 1 the difference has the usual size of rounding."""
    overflow_possible: bool = False
    """Every element that is finite on one side only may have overflowed on the way."""
    nearness: Nearness | None = None
    exact: Array | None = None
    """The correctly rounded values of the worst elements."""
    condition: float = 1.0
    """κ = A/|y| of the worst element; large means cancellation."""


def compare(
    axis: Axis,
    baseline: Observation,
    candidate: Observation,
    reference: Reference,
    *,
    strict: bool,
    most: int,
) -> Comparison:
    """Measure `candidate` against `baseline`; keep the `most` worst elements."""
    cells = (baseline.cell, candidate.cell)
    for side in (baseline, candidate):
        if side.output is None:
            return Comparison(axis, *cells, None, reason=side.reason)
    assert baseline.output is not None and candidate.output is not None
    for side, output in ((baseline, baseline.output), (candidate, candidate.output)):
        wanted = _expected_shape(reference, side.cell)
        if output.shape != wanted:
            text = f"{side.cell.op} at length {side.cell.length} gave shape {output.shape}"
            return Comparison(axis, *cells, None, f"{text}, expected {wanted}", mismatch=True)
    a, b = aligned(baseline.output, candidate.output)
    difference = measure(a, b, strict, most)
    if difference.worst is None:
        return Comparison(axis, *cells, difference, constant=_constant(a))
    part = reference.scales.prefix(a.shape)
    terms, form = reference.terms, reference.format
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(b.astype(np.float64) - a.astype(np.float64))
        lost = ~np.isfinite(size)
        size[lost] = 0.0
        flush = reference.underflow
        bound = worst_case(part, terms, form, flush)
        usual = screen(part, terms, form, a, b, flush)
    exact = reference.exact_at(difference.worst.index)
    top = difference.max_index
    assert top is not None
    return Comparison(
        axis,
        *cells,
        difference,
        constant=None,
        bound_ratio=_ratio(size, bound),
        screen_ratio=_ratio(size, usual),
        overflow_possible=bool((part.absolute[lost] >= form.largest / 2).all()),
        nearness=_nearness(a, b, reference, difference, exact),
        exact=exact,
        condition=_condition(float(part.absolute[top]), float(exact[0])),
    )


def _expected_shape(reference: Reference, cell: Cell) -> tuple[int, ...]:
    height = reference.tensors.input_nhwc.shape[1]
    return reference.conv.output_shape(cell.batch, height, cell.length)


def _constant(output: Array) -> str | None:
    """Return what makes an output say nothing: it is all zero, all NaN or all infinite."""
    if not output.any():
        return "all zero"
    wide = output.astype(np.float64) if output.dtype.name == "bfloat16" else output
    if np.isnan(wide).all():
        return "all NaN"
    return "all infinite" if np.isinf(wide).all() else None


def _ratio(size: Array, bound: Array) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(size == 0, 0.0, size / bound)
    return float(ratio.max(initial=0.0))


def _condition(absolute: float, value: float) -> float:
    return absolute / abs(value) if value else float("inf")


def _nearness(
    a: Array, b: Array, reference: Reference, difference: Difference, exact_worst: Array
) -> Nearness:
    """Measure both sides against exact: wherever it is known, else at the worst elements."""
    if reference.exact is not None:
        truth = reference.exact[tuple(slice(0, extent) for extent in a.shape)]
    else:
        assert difference.worst is not None
        truth, a, b = exact_worst, difference.worst.baseline, difference.worst.candidate
    wide = truth.astype(np.float64)
    unit = spacing(wide, reference.format)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = [_error(side.astype(np.float64), wide) for side in (a, b)]
        in_ulps = [np.max(error / unit) for error in errors]
    return Nearness(
        float(in_ulps[0]), float(in_ulps[1]), float(errors[0].max()), float(errors[1].max())
    )


def _error(values: Array, truth: Array) -> Array:
    """Return |values − truth|: 0 for an infinity that is right, infinite for a NaN."""
    size = np.abs(values - truth)
    return np.where(values == truth, 0.0, np.where(np.isnan(size), np.inf, size))
