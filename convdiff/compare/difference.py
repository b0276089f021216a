"""What differs between two aligned outputs: how many elements, where, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.compare.floats import format_of, ulps

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Elements:
    """Some differing elements, worst first."""

    index: Array
    """(k, 4) int64: positions in NHWC."""
    baseline: Array
    candidate: Array
    delta: Array
    """candidate − baseline in fp64."""
    ulp: Array
    """uint64"""

    def __len__(self) -> int:
        return len(self.index)


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


def differs(a: Array, b: Array, strict: bool) -> Array:
    """Return the mask of elements whose bits differ.

    Unless strict, −0 equals +0 and every NaN equals every other.
    """
    bits = format_of(a).bits
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    mask = a.view(bits) != b.view(bits)
    if not strict and mask.any():
        mask &= ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return np.asarray(mask)


def measure(a: Array, b: Array, strict: bool, most: int) -> Difference:
    """Measure b against a, both NHWC of one shape and dtype; keep the `most` worst elements."""
    mask = differs(a, b, strict)
    count = int(np.count_nonzero(mask))
    if count == 0:
        return Difference(a.size, 0)
    where = np.argwhere(mask)
    x, y = a[mask], b[mask]
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(wide_x) & np.isfinite(wide_y)
    with np.errstate(invalid="ignore", over="ignore"):
        delta = wide_y - wide_x
    steps = np.where(finite, ulps(x, y), np.uint64(np.iinfo(np.int64).max))
    size = np.where(finite, np.abs(delta), np.inf)
    order = np.argsort(-size, kind="stable")[:most]
    top = int(order[0])
    columns = np.zeros(a.shape[2], np.uint64)
    np.maximum.at(columns, where[:, 2], steps)
    n, h, w, c = (int(i) for i in where[top])
    return Difference(
        elements=a.size,
        differing=count,
        max_abs=float(size[top]),
        max_ulp=int(steps[finite].max()) if finite.any() else 0,
        max_index=(n, h, w, c),
        appeared=int(np.count_nonzero(~finite)),
        worst=Elements(where[order], x[order], y[order], delta[order], steps[order]),
        by_column=columns,
    )
