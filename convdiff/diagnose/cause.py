"""Why two outputs differ, with the proof: the orders of both sides, replayed bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from convdiff.compare.align import aligned
from convdiff.compare.difference import differs
from convdiff.diagnose.evidence import Side
from convdiff.numerics.array import Array
from convdiff.order.attribute import attribute
from convdiff.order.counterfactual import Cause
from convdiff.order.divergence import divergence
from convdiff.order.orders import Orders
from convdiff.order.reveal.refusal import Refusal
from convdiff.order.tree.describe import describe
from convdiff.order.tree.notation import notation

Status = Literal["proved", "partial", "unexplained"]


@dataclass(frozen=True)
class SideOrder:
    """One order of one side, and how many of its elements it was proved for."""

    side: Side
    elements: int
    notation: str
    words: str
    fused: int
    """Products that enter their addition unrounded."""


@dataclass(frozen=True)
class Parted:
    """The first sum of the same terms that differs, in the worst element."""

    index: tuple[int, ...]
    """NHWC"""
    terms: tuple[str, ...]
    """(kh, kw, cin) of each tap, or bias."""
    baseline: float
    candidate: float


@dataclass(frozen=True)
class Explanation:
    """The explanation of one comparison. No cause without its proof."""

    status: Status
    causes: Mapping[Cause, int]
    """Differing pairs by cause, as text: order, fma, order+fma, bias position, precision …"""
    unexplained: int
    """Differing pairs of which a side has no proven order."""
    replayed: Mapping[Side, tuple[int, int]]
    """side -> (k, n): k of its n elements were replayed bit for bit."""
    orders: tuple[SideOrder, ...]
    parted: Parted | None
    refusals: tuple[Refusal, ...]
    confirmed: bool = True
    """Every channel answered every reading; else a sample of them, beside the replays."""


def explain_difference(
    baseline: Orders,
    candidate: Orders,
    outputs: tuple[Array, Array],
    worst: tuple[int, int, int, int] | None,
    *,
    strict: bool,
) -> Explanation:
    """Explain the differences of two outputs (NHWC) whose kernels were explained.

    worst: where both sides' partial sums are followed to the node where they part.
    """
    cut = aligned(*outputs)
    where = np.argwhere(differs(*cut, strict))
    pairs = [_flat(where, output.shape) for output in outputs]
    found = attribute(baseline, candidate, *pairs)
    status: Status = "proved" if not found.unproven else "partial"
    if found.unproven == len(where):
        status = "unexplained"
    explanations: tuple[tuple[Side, Orders], ...] = (
        ("baseline", baseline),
        ("candidate", candidate),
    )
    return Explanation(
        status=status,
        causes=found.counts,
        unexplained=found.unproven,
        replayed={side: explanation.replayed for side, explanation in explanations},
        orders=tuple(
            order for side, explanation in explanations for order in _orders(side, explanation)
        ),
        parted=_parted(baseline, candidate, [output.shape for output in outputs], worst),
        refusals=(*baseline.refusals, *candidate.refusals),
        confirmed=baseline.confirmed and candidate.confirmed,
    )


def _orders(side: Side, found: Orders) -> list[SideOrder]:
    return [
        SideOrder(
            side,
            one.count,
            notation(one.order.tree),
            describe(one.order.tree, found.geometry.filter_hwio) + one.order.arithmetic.words,
            len(one.order.tree.fused_taps()),
        )
        for one in found.orders
    ]


def _flat(where: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.ravel_multi_index(tuple(where.T), shape), np.int64)


def _parted(
    baseline: Orders,
    candidate: Orders,
    shapes: list[tuple[int, ...]],
    worst: tuple[int, int, int, int] | None,
) -> Parted | None:
    if worst is None:
        return None
    elements = [int(_flat(np.array([worst]), shape)[0]) for shape in shapes]
    for explanation, element in zip((baseline, candidate), elements, strict=True):
        if explanation.which().reshape(-1)[element] < 0:
            return None
    found = divergence(baseline, candidate, *elements)
    if found is None:
        return None
    names = tuple(baseline.geometry.name(leaf) for leaf in found.terms)
    return Parted(worst, names, found.sum_a, found.sum_b)
