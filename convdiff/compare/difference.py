"""What differs between two aligned outputs: how many elements, where, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks, corner
from convdiff.numerics.floats import MOST_STEPS, format_of, steps_between, ulps
from convdiff.numerics.parallel import mapped


@dataclass(frozen=True)
class Elements:
    """Some differing elements, the largest |Δ| first; among them the one with the most ulps."""

    index: Array
    """(k, 4) int64: positions in NHWC."""
    baseline: Array
    """(k,) values in the case's dtype; so is `candidate`."""
    candidate: Array
    delta: Array
    """(k,) candidate − baseline in fp64."""
    ulp: Array
    """(k,) uint64: representable steps between the two; 2⁶³ − 1 where one is not finite."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def fields(self) -> tuple[Array, ...]:
        """All that is known of them, each along the same axis."""
        return self.index, self.baseline, self.candidate, self.delta, self.ulp

    def at(self, ranks: Array) -> Elements:
        """Return the elements at these (n,) ranks of the list."""
        return Elements(*(field[ranks] for field in self.fields))

    def ranks(self, most: int) -> Array:
        """Return the ranks of the `most` worst, among several the one with the most ulps."""
        return _worst(self.delta, self.ulp, most)


@dataclass(frozen=True)
class Difference:
    """The measure of a comparison."""

    elements: int
    differing: int
    max_abs: float = 0.0
    max_ulp: int = 0
    max_index: tuple[int, int, int, int] | None = None
    """Where max_abs is."""
    appeared: int = 0
    """Elements that are finite on one side only, or infinite with other signs, or NaN on one."""
    worst: Elements | None = None
    by_column: Array | None = None
    """(OW,) uint64: the largest ulp difference at each position along the length."""

    def placed(self, index: Array) -> Difference:
        """Return the measure of some outputs of many with its worst where they are, (k, 4)."""
        if self.worst is None:
            return self
        n, h, w, c = (int(i) for i in index[0])
        worst = replace(self.worst, index=index)
        return replace(self, max_index=(n, h, w, c), worst=worst, by_column=None)


def differs(a: Array, b: Array, strict: bool) -> Array:
    """Return the mask of elements whose bits differ; a and b are of one shape and dtype.

    Unless strict, −0 equals +0 and every NaN equals every other.
    """
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape} do not match")
    mask = np.empty(a.shape, bool)
    for block in blocks(a.shape):
        mask[block] = _differ(a[block], b[block], strict)
    return mask


def measure(a: Array, b: Array, strict: bool, most: int) -> Difference:
    """Measure b against a, both NHWC of one shape and dtype; keep the `most` worst elements.

    All is counted a block at a time, on all cores; elements are picked out of those blocks alone
    that hold the worst.
    """
    cuts = list(blocks(a.shape))
    columns, glances = np.zeros(a.shape[2], np.uint64), {}
    looks = mapped(lambda block: _glance(a[block], b[block], strict), cuts)
    for number, (glance, steps) in enumerate(looks):
        here = columns[cuts[number][2]]
        np.maximum(here, steps, out=here)
        if glance.differing:
            glances[number] = glance
    if not glances:
        return Difference(a.size, 0)
    telling = [cuts[number] for number in _telling(glances, most)]
    picks = mapped(lambda block: _picked(a[block], b[block], strict, corner(block), most), telling)
    worst = _merged(list(picks), most)
    n, h, w, c = (int(i) for i in worst.index[0])
    return Difference(
        elements=a.size,
        differing=sum(glance.differing for glance in glances.values()),
        max_abs=float(_size(worst.delta[:1])[0]),
        max_ulp=max(glance.max_ulp for glance in glances.values()),
        max_index=(n, h, w, c),
        appeared=sum(glance.appeared for glance in glances.values()),
        worst=worst,
        by_column=columns,
    )


def _merged(parts: Sequence[Elements], most: int) -> Elements:
    """Return the `most` worst of all parts, each of which has its own."""
    fields = zip(*(part.fields for part in parts), strict=True)
    several = Elements(*(np.concatenate(field) for field in fields))
    worst = several.at(np.lexsort(several.index.T[::-1]))  # equal ones keep their order
    return worst.at(worst.ranks(most))


@dataclass(frozen=True)
class _Glance:
    """How much differs in a block; not which elements do."""

    differing: int
    max_abs: float
    """Infinite where an element is finite on one side only."""
    max_ulp: int
    """Of the elements that are finite on both sides."""
    appeared: int


NOTHING = _Glance(0, 0.0, 0, 0), np.zeros(1, np.uint64)


@np.errstate(invalid="ignore", over="ignore")
def _glance(a: Array, b: Array, strict: bool) -> tuple[_Glance, Array]:
    """Return how much two blocks differ, and the most ulps of each column, (columns,) or (1,)."""
    bits = format_of(a).bits
    if np.array_equal(a.view(bits), b.view(bits)):
        return NOTHING
    size = b.astype(np.float64)
    size -= a
    largest = float(np.abs(size, out=size).max())
    if not np.isfinite(largest):
        return _glance_beyond(a, b, size, strict)
    steps = steps_between(a, b)
    differing = int(np.count_nonzero(a.view(bits) != b.view(bits) if strict else steps))
    by_column = _by_column(steps)
    return _Glance(differing, largest, int(by_column.max()), 0), by_column


def _glance_beyond(a: Array, b: Array, size: Array, strict: bool) -> tuple[_Glance, Array]:
    """Do the same where |b − a|, `size`, is not finite everywhere."""
    mask = _differ(a, b, strict)
    finite = np.isfinite(a) & np.isfinite(b)
    steps = np.where(mask, np.where(finite, ulps(a, b), np.uint64(MOST_STEPS)), np.uint64(0))
    glance = _Glance(
        differing=int(np.count_nonzero(mask)),
        max_abs=float(np.where(np.isnan(size), np.inf, size).max(where=mask, initial=0.0)),
        max_ulp=int(steps.max(where=finite, initial=0)),
        appeared=int(np.count_nonzero(mask & ~finite)),
    )
    return glance, _by_column(steps)


def _by_column(steps: Array) -> Array:
    """Return the most steps of each column of a block, (columns,) uint64."""
    by_place = steps.reshape(-1, *steps.shape[2:]).max(axis=0)
    most = by_place.max(axis=1).astype(np.uint64)
    return np.asarray(np.minimum(most, np.uint64(MOST_STEPS)))


def _telling(glances: Mapping[int, _Glance], most: int) -> list[int]:
    """Return the blocks, by number, that hold the `most` worst elements, in their order.

    Each of the `most` blocks with the largest |Δ| has an element that is worse than all of another
    block, or as bad and before them. The first with the most ulps is looked at, too.
    """
    farthest = max(glances, key=lambda number: glances[number].max_ulp)
    if not glances[farthest].max_ulp:  # nothing is finite on both sides
        return list(glances)
    largest = sorted(glances, key=lambda number: -glances[number].max_abs)
    return sorted({*largest[:most], farthest})


def _differ(a: Array, b: Array, strict: bool) -> Array:
    bits = format_of(a).bits
    mask = a.view(bits) != b.view(bits)
    if not strict and mask.any():
        mask &= ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return np.asarray(mask)


@np.errstate(invalid="ignore", over="ignore")
def _picked(a: Array, b: Array, strict: bool, start: Sequence[int], most: int) -> Elements:
    """Return the worst of a block that begins at `start`, in C order: see `_merged`.

    The `most` with the largest |Δ| and the first of the most steps, which others may need or not.
    """
    mask = _differ(a, b, strict)
    x, y = a[mask], b[mask]
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(wide_x) & np.isfinite(wide_y)
    delta = wide_y - wide_x
    steps = np.where(finite, ulps(x, y), np.uint64(MOST_STEPS))
    top = np.union1d(_largest(_size(delta), most), [_farthest(delta, steps)])
    index = np.stack(np.unravel_index(np.flatnonzero(mask)[top], mask.shape), axis=1) + start
    return Elements(index, x[top], y[top], delta[top], steps[top])


def _worst(delta: Array, steps: Array, most: int) -> Array:
    """Return the indices of the `most` largest |delta|, among them that of the most finite steps.

    delta: (n,) float64. steps: (n,) uint64.
    """
    size = _size(delta)
    top = _largest(size, most)
    farthest = _farthest(delta, steps)
    if most < 2 or most >= len(size) or not np.isfinite(size[farthest]):
        return top
    if steps[farthest] > np.where(np.isfinite(size[top]), steps[top], 0).max():
        top[-1] = farthest
    return top


def _farthest(delta: Array, steps: Array) -> int:
    """Return the index of the most steps between finite numbers, the first of equal ones."""
    return int(np.argmax(np.where(np.isfinite(delta), steps, np.uint64(0))))


def _size(delta: Array) -> Array:
    """Return |delta|: infinite wherever either side is not finite."""
    size = np.abs(delta)
    return np.where(np.isnan(size), np.inf, size)


def _largest(size: Array, most: int) -> Array:
    """Return the indices of the `most` largest, largest first; equal ones keep their order."""
    candidates: Array = np.arange(len(size))
    if most < len(size):
        candidates = np.flatnonzero(size >= np.partition(size, -most)[-most])
    return np.asarray(candidates[np.argsort(-size[candidates], kind="stable")[:most]])
