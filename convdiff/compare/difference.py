"""What differs between two aligned outputs: how many elements, where, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks, corner
from convdiff.numerics.floats import format_of, ulps


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
    """Measure b against a, both NHWC of one shape and dtype; keep the `most` worst elements."""
    columns = np.zeros(a.shape[2], np.uint64)
    parts: list[Difference] = []
    for block in blocks(a.shape):
        mask = _differ(a[block], b[block], strict)
        if mask.any():
            part, steps = _measured(a[block], b[block], mask, corner(block), most)
            here = columns[block[2]]
            np.maximum(here, steps.max(axis=(0, 1, 3)), out=here)
            parts.append(part)
    if not parts:
        return Difference(a.size, 0)
    return _merged(parts, columns, a.size, most)


def _merged(parts: Sequence[Difference], columns: Array, elements: int, most: int) -> Difference:
    """Return the measure of all blocks together; each part has its own worst elements."""
    fields = zip(*(part.worst.fields for part in parts if part.worst is not None), strict=True)
    worst = Elements(*(np.concatenate(field) for field in fields))
    worst = worst.at(worst.ranks(most))
    n, h, w, c = (int(i) for i in worst.index[0])
    return Difference(
        elements=elements,
        differing=sum(part.differing for part in parts),
        max_abs=float(_size(worst.delta[:1])[0]),
        max_ulp=max(part.max_ulp for part in parts),
        max_index=(n, h, w, c),
        appeared=sum(part.appeared for part in parts),
        worst=worst,
        by_column=columns,
    )


def _differ(a: Array, b: Array, strict: bool) -> Array:
    bits = format_of(a).bits
    mask = a.view(bits) != b.view(bits)
    if not strict and mask.any():
        mask &= ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return np.asarray(mask)


def _measured(
    a: Array, b: Array, mask: Array, start: Sequence[int], most: int
) -> tuple[Difference, Array]:
    """Measure the elements under a mask of a block that begins at `start`.

    Returns also the ulps at every element of the block, as uint64, 0 beside the mask.
    """
    x, y = a[mask], b[mask]
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(wide_x) & np.isfinite(wide_y)
    with np.errstate(invalid="ignore", over="ignore"):
        delta = wide_y - wide_x
    steps = np.where(finite, ulps(x, y), np.uint64(np.iinfo(np.int64).max))
    grid = np.zeros(mask.shape, np.uint64)
    grid[mask] = steps
    top = _worst(delta, steps, most)
    index = np.stack(np.unravel_index(np.flatnonzero(mask)[top], mask.shape), axis=1) + start
    part = Difference(
        elements=mask.size,
        differing=len(x),
        max_ulp=int(steps.max(initial=0, where=finite)),
        appeared=int(np.count_nonzero(~finite)),
        worst=Elements(index, x[top], y[top], delta[top], steps[top]),
    )
    return part, grid


def _worst(delta: Array, steps: Array, most: int) -> Array:
    """Return the indices of the `most` largest |delta|, among them that of the most finite steps.

    delta: (n,) float64. steps: (n,) uint64.
    """
    size = _size(delta)
    top = _largest(size, most)
    if most < 2 or most >= len(size) or not np.isfinite(size).any():
        return top
    farthest = int(np.argmax(np.where(np.isfinite(size), steps, 0)))
    if steps[farthest] > np.max(steps[top], where=np.isfinite(size[top]), initial=0):
        top[-1] = farthest
    return top


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
