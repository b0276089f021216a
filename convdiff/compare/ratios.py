"""How much of their bounds the differences of two outputs use up, a block at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convdiff.compare.bounds import screen, worst_case
from convdiff.compare.fp64 import Scales
from convdiff.compare.reference import Reference
from convdiff.compare.term_scales import KeptScales, TermScales
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import Block, blocks
from convdiff.numerics.floats import Format
from convdiff.numerics.parallel import mapped


@dataclass(frozen=True)
class Ratios:
    """Of all elements that differ."""

    bound: float = 0.0
    """max |Δ| / 2γₙA"""
    screen: float = 0.0
    """max |Δ| / screen"""
    least: float = np.inf
    """The smallest A of what is lost on one side."""

    def or_worse(self, other: Ratios) -> Ratios:
        """Return the ratios of both together; what is no number, of sums that overflow, is left."""
        return Ratios(
            max(self.bound, other.bound),
            max(self.screen, other.screen),
            min(self.least, other.least),
        )


NONE = Ratios()


@dataclass(frozen=True)
class _Limits:
    """What bounds are made of, each made once before the threads ask for it."""

    terms: int
    format: Format
    flush: float
    scales: TermScales | KeptScales


def ratios(a: Array, b: Array, measured: Array, reference: Reference) -> Ratios:
    """Hold what differs of two outputs, NHWC, against its scales, on all cores.

    measured: the mask of what is looked at, which broadcasts to the outputs' shape.
    """
    everything, measured = bool(measured.all()), np.broadcast_to(measured, a.shape)
    limits = _Limits(reference.terms, reference.format, reference.underflow, reference.by_block)

    def of_block(block: Block) -> Ratios:
        mask = None if everything else measured[block]
        return _of_block(a[block], b[block], mask, block, limits)

    worst = NONE
    for one in mapped(of_block, list(blocks(a.shape))):
        worst = worst.or_worse(one)
    return worst


@np.errstate(invalid="ignore", over="ignore")
def _of_block(x: Array, y: Array, measured: Array | None, block: Block, limits: _Limits) -> Ratios:
    size = y.astype(np.float64)
    size -= x
    np.abs(size, out=size)
    if measured is not None:
        size[~measured] = 0.0
    here = size != 0  # so it is where neither is finite
    by_place = here.any(axis=3)
    if not by_place.any():
        return NONE
    if by_place.all():  # what is equal counts for nothing
        return _of_sizes(size, x, y, limits.scales.whole(block), limits)
    scales = limits.scales.scales(block, here)
    return _of_sizes(size[here], x[here], y[here], scales, limits)


def _of_sizes(size: Array, x: Array, y: Array, scales: Scales, limits: _Limits) -> Ratios:
    """Hold some |Δ|, of one shape with all the rest, against their scales; 0 is no difference."""
    terms, form, flush = limits.terms, limits.format, limits.flush
    least = np.inf
    if not np.isfinite(size.max()):
        lost = ~np.isfinite(size)
        least = float(scales.absolute[lost].min())
        size[lost] = 0.0
    return Ratios(
        ratio_of(size, worst_case(scales, terms, form, flush)),
        ratio_of(size, screen(scales, terms, form, x, y, flush)),
        least,
    )


def ratio_of(size: Array, bound: Array) -> float:
    """Return the largest size/bound; 0 where there is nothing, or nothing differs."""
    if not size.size:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = size / bound
        largest = float(ratio.max())
        if np.isnan(largest):  # 0/0 counts for nothing
            largest = float(np.where(size == 0, 0.0, ratio).max())
    return largest
