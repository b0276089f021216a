"""Two observations, aligned and measured: what a verdict is given on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from convdiff.case.axes import Axis
from convdiff.compare.align import aligned, shared
from convdiff.compare.astray import Astray, astray
from convdiff.compare.difference import Difference, measure
from convdiff.compare.other_ops import shape_owners, wanted_beside
from convdiff.compare.ratios import ratios
from convdiff.compare.reference import NO_OVERFLOW, Overflows, Reference
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block, blocks
from convdiff.numerics.floats import spacing
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Pair
from convdiff.worker.ops.then import at_limits

NOTHING = (Astray(), Astray())
"""Where NaN and infinity are what they must be on both sides."""


@dataclass(frozen=True)
class Nearness:
    """How far each side is from the exact result, in ulps of the exact result at most."""

    baseline: float
    candidate: float
    baseline_abs: float
    candidate_abs: float
    baseline_nearer: int = 0
    candidate_nearer: int = 0
    """Elements at which each is nearer than the other."""
    elements: int = 0
    """Those that were held against exact."""

    @property
    def nearer(self) -> str:
        """Return which side is closer at its worst: baseline, candidate or neither."""
        if self.baseline_abs == self.candidate_abs:
            return "neither"
        return "baseline" if self.baseline_abs < self.candidate_abs else "candidate"

    @property
    def oftener(self) -> str:
        """Return which side is nearer at more elements: baseline, candidate or neither."""
        if self.baseline_nearer == self.candidate_nearer:
            return "neither"
        return "baseline" if self.baseline_nearer > self.candidate_nearer else "candidate"


@dataclass(frozen=True)
class Comparison:
    """One comparison, measured."""

    axis: Axis
    baseline: Cell
    candidate: Cell
    difference: Difference | None
    """None where a side is missing, or the two shapes do not match each other."""
    reason: str | None = None
    """Why there is no difference to speak of."""
    mismatch: bool = False
    """Both sides are there, and not both have the convolution's shape."""
    constant: str | None = None
    """What makes equality prove little: all zero, all NaN, saturated."""
    bound_ratio: float = 0.0
    """max |Δ| / 2γₙA; above 1 no two sums of the same products can differ so."""
    screen_ratio: float = 0.0
    """max |Δ| / screen; below 1 the difference has the usual size of rounding."""
    overflows: Overflows = NO_OVERFLOW
    """Whether every element that is finite on one side only may have overflowed on the way."""
    nearness: Nearness | None = None
    exact: Array | None = None
    """(k,) correctly rounded values of the worst elements, in the case's dtype."""
    terms_ulp: float = 0.0
    """The largest |Δ| in ulps at the size of A, the products it is a sum of; 0 where not measured.
    Near zero an output's own ulps are small, and many."""
    condition: float = 1.0
    """κ = A/|y| of the worst element; large means cancellation."""
    likely_ratio: float = 0.0
    """Along `exact`: max |Δ| / `likely`; above 1 the roundings of a sum must have gone one way."""
    wide_ratio: float = 0.0
    """Along `exact`, in formats of 16 bits: max |Δ| / what float32 sums, rounded once, may be off;
    above 1 narrow sums, or a small bug, made it."""
    is_flushed: bool = False
    """Along `exact`: more than any sum can be off, but no more than flushing to zero makes it."""
    sampled_of: int | None = None
    """How many outputs there are, where not all of them were compared but a sample."""
    astray: tuple[Astray, Astray] = NOTHING
    """What baseline and candidate make wrong of NaN and infinity in the data."""
    seconds: float = field(default=0.0, compare=False)
    """What it took to measure, with the runs of those of its cells that no one before it needed."""

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """Baseline and candidate."""
        return self.baseline, self.candidate

    @property
    def strayed(self) -> bool:
        """Whether NaN or infinity in the data became something else on a side, or on both."""
        return any(self.astray)


def compare(
    pair: Pair,
    baseline: Array | NoBits,
    candidate: Array | NoBits,
    reference: Reference,
    *,
    strict: bool,
    most: int,
) -> Comparison:
    """Measure a pair's outputs, NHWC; keep the `most` worst elements."""
    axis, cells = pair.axis, pair.cells
    if pair.reason:
        return Comparison(axis, *cells, None, reason=pair.reason)
    if isinstance(baseline, NoBits) or isinstance(candidate, NoBits):
        missing = baseline if isinstance(baseline, NoBits) else candidate
        assert isinstance(missing, NoBits), "one of them is"
        return Comparison(axis, *cells, None, reason=missing.reason)
    misfits = [
        misfit(reference, cell, output.shape)
        for cell, output in zip(cells, (baseline, candidate), strict=True)
    ]
    if any(misfits):
        reason = "; ".join(dict.fromkeys(filter(None, misfits)))
        between = None
        if baseline.shape == candidate.shape and baseline.ndim == 4:
            between = measure(baseline, candidate, strict, most)
        return Comparison(axis, *cells, between, reason, mismatch=True)
    lengths = pair.baseline.length, pair.candidate.length
    channels = min(baseline.shape[3], candidate.shape[3])
    one, other = baseline[..., :channels], candidate[..., :channels]
    a, b = aligned(one, other, shared(reference.conv, lengths))
    if not a.size:
        reason = "no output of one sees the inputs that one of the other sees"
        return Comparison(axis, *cells, None, reason=reason)
    if axis == "clean":
        return _beside_nan(pair, a, b, reference, strict=strict, most=most)
    return measured(pair, a, b, reference, measure(a, b, strict, most))


def _beside_nan(
    pair: Pair, a: Array, b: Array, reference: Reference, *, strict: bool, most: int
) -> Comparison:
    """Compare a clean output with one of data with NaN, where none of it reaches an output."""
    finite = _finite(a, reference)
    if not finite.any():
        text = "NaN or infinity in the data reaches every output"
        return Comparison(pair.axis, *pair.cells, None, reason=text)
    beside = np.where(finite, a, b)
    comparison = measured(pair, beside, b, reference, measure(beside, b, strict, most))
    return replace(comparison, nearness=None)


def measured(
    pair: Pair, a: Array, b: Array, reference: Reference, difference: Difference
) -> Comparison:
    """Hold the differences of aligned outputs against what sums of the same products can give."""
    axis, cells = pair.axis, pair.cells
    off, beside = _astray(axis, a, b, reference)
    if difference.worst is None:
        constant = None
        if reference.is_finite or not a.any():
            constant = constant_of(a, reference.conv.then)
        return Comparison(axis, *cells, difference, constant=constant, astray=off)
    exact = reference.exact_at(difference.worst.index)
    used = ratios(a, b, beside, reference)
    top = reference.scales_in(_box(difference.worst.index[0]), np.ones((1, 1, 1, 1), bool))
    return Comparison(
        axis,
        *cells,
        difference,
        constant=None,
        bound_ratio=used.bound,
        screen_ratio=used.screen,
        overflows=reference.overflows(used.least),
        nearness=_nearness(a, b, reference, difference, exact),
        exact=exact,
        terms_ulp=float(difference.max_abs / spacing(top.absolute[:1], reference.format)[0]),
        condition=condition_of(float(top.absolute[0]), float(exact[0])),
        astray=off,
    )


def _astray(
    axis: Axis, a: Array, b: Array, reference: Reference
) -> tuple[tuple[Astray, Astray], Array]:
    """Return what is astray on both sides, and the mask of what is measured beside it.

    That are the outputs that no NaN or infinity of the data reaches, by right or by mistake. A
    baseline of clean data has none of them.
    """
    if reference.kinds is None:
        return NOTHING, np.ones((1, 1, 1, 1), bool)
    of_b, mask = astray(b, reference)
    if axis == "clean":  # what becomes of the others is told along the other axes
        return (Astray(), Astray(unwanted=of_b.unwanted)), _finite(a, reference) & ~mask
    of_a, mask_a = astray(a, reference)
    return (of_a, of_b), _finite(a, reference) & ~mask & ~mask_a


def _finite(output: Array, reference: Reference) -> Array:
    """Return the mask of the outputs that no NaN or infinity of the data reaches."""
    untouched = reference.untouched(output.shape)
    return np.ones(output.shape, bool) if untouched is None else untouched


def misfit(reference: Reference, cell: Cell, observed: tuple[int, ...]) -> str:
    """Say what shape a cell gave that is not the convolution's, and whose it is; "" if it is."""
    conv, height = reference.conv.first(cell.channels), reference.tensors.input_nhwc.shape[1]
    channels = conv.channels_in
    if observed == expected_shape(reference, cell):
        return ""
    inputs = cell.batch, height, cell.length, channels
    wanted, owners = wanted_beside(conv, inputs, observed), shape_owners(conv, inputs, observed)
    whose = "".join(f"; {observed} is {owner}'s shape" for owner in owners[:1])
    return f"{cell.op} at length {cell.length} gave shape {observed}, expected {wanted}{whose}"


def expected_shape(reference: Reference, cell: Cell) -> tuple[int, ...]:
    """Return the NHWC shape that a cell's output is to have."""
    height = reference.tensors.input_nhwc.shape[1]
    return reference.conv.first(cell.channels).output_shape(cell.batch, height, cell.length)


def constant_of(output: Array, then: str) -> str | None:
    """Return what makes an output say nothing: it is all zero, all NaN or all infinite.

    Or all at the limits of the step that follows.
    """
    if not output.any():
        return "all zero"
    if then and at_limits(output, then).all():
        return f"all at the limits of {then}"
    if np.isfinite(output.flat[0]):  # of most outputs that is all there is to look at
        return None
    if np.isnan(output).all():
        return "all NaN"
    return "all infinite" if np.isinf(output).all() else None


def _box(index: Array) -> Block:
    """Return the block that is one element."""
    return tuple(slice(int(i), int(i) + 1) for i in index)


def condition_of(absolute: float, value: float) -> float:
    """Return κ = A/|y| of one output."""
    if not np.isfinite(value):
        return 1.0
    return absolute / abs(value) if value else float("inf")


def _nearness(
    a: Array, b: Array, reference: Reference, difference: Difference, exact_worst: Array
) -> Nearness:
    """Measure both sides against exact: wherever it is known, else at the worst elements."""
    if reference.exact is None:
        assert difference.worst is not None
        truth, a, b = exact_worst, difference.worst.baseline, difference.worst.candidate
    else:
        truth = reference.exact[tuple(slice(0, extent) for extent in a.shape)]
    sizes, in_ulps, nearer = np.zeros((3, 2))  # of both: the largest so far, and how often nearer
    for block in blocks(a.shape):
        wide = truth[block].astype(np.float64)
        unit = spacing(wide, reference.format)
        with np.errstate(invalid="ignore", over="ignore"):
            errors = [_error(side[block].astype(np.float64), wide) for side in (a, b)]
            for k, (error, other) in enumerate(zip(errors, errors[::-1], strict=True)):
                sizes[k] = np.maximum(sizes[k], error.max())
                in_ulps[k] = np.maximum(in_ulps[k], (error / unit).max())
                nearer[k] += np.count_nonzero(error < other)
    (ulps_a, ulps_b), (size_a, size_b) = in_ulps.tolist(), sizes.tolist()
    return Nearness(ulps_a, ulps_b, size_a, size_b, int(nearer[0]), int(nearer[1]), int(truth.size))


def _error(values: Array, truth: Array) -> Array:
    """Return |values − truth|: 0 for an infinity or a NaN that is right, infinite for others."""
    size = np.abs(values - truth)
    right = (values == truth) | (np.isnan(values) & np.isnan(truth))
    return np.where(right, 0.0, np.where(np.isnan(size), np.inf, size))
