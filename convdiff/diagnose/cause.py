"""Why two outputs differ, with the proof: the orders of both sides, replayed bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from convdiff.compare.difference import differs
from convdiff.diagnose.evidence import Side
from convdiff.numerics.array import Array
from convdiff.order.attribute import attribute
from convdiff.order.counterfactual import Cause
from convdiff.order.divergence import divergence
from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.reveal.refusal import Refusal
from convdiff.order.side_by_side import side_by_side
from convdiff.order.tree.describe import describe
from convdiff.order.tree.notation import notation
from convdiff.order.tree.sum_up import summed_up
from convdiff.order.words import in_words

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
    brief: str = ""
    """The words summed up, where they are many."""
    narrowed: str = ""
    """What is kept in another precision than the case's own, or taken for zero."""
    where: str = ""
    """Where its elements lie, unless all see all taps."""
    is_like: bool = False
    """Whether an order before is told for both."""
    others: int = 0
    """Elements of the orders that it is told for, besides its own."""
    places: tuple[str, ...] = ()
    """How many of all of them lie where."""
    step: str = ""
    """How the step that follows is done, where that is unusual."""


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

    @property
    def told(self) -> tuple[SideOrder, ...]:
        """The orders, but of those that are alike the first."""
        return tuple(order for order in self.orders if not order.is_like)


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
    common = side_by_side((baseline, candidate), *outputs)
    differing = np.flatnonzero(differs(*common, strict))
    elements = [_flat(differing, common[0].shape, output.shape) for output in outputs]
    attribution = attribute(baseline, candidate, *elements)
    return Explanation(
        status=_status(attribution.unproven, len(differing)),
        causes=attribution.counts,
        unexplained=attribution.unproven,
        replayed={"baseline": baseline.replayed, "candidate": candidate.replayed},
        orders=(*_orders("baseline", baseline), *_orders("candidate", candidate)),
        parted=_parted(baseline, candidate, outputs, worst),
        refusals=(*baseline.refusals, *candidate.refusals),
        confirmed=baseline.confirmed and candidate.confirmed,
    )


def _status(unproven: int, differing: int) -> Status:
    if unproven == differing:
        return "unexplained"
    return "partial" if unproven else "proved"


def _orders(side: Side, orders: Orders) -> Iterator[SideOrder]:
    """Yield the orders of one side, written down, those that are alike after each other."""
    for group in orders.alike:
        members = [orders.orders[number] for number in group]
        first, *others = [_written(side, orders, proved) for proved in members]
        more = sum(other.elements for other in others)
        yield replace(first, others=more, places=orders.places(members))
        yield from (replace(other, is_like=True) for other in others)


def _written(side: Side, orders: Orders, proved: ProvedOrder) -> SideOrder:
    tree, arithmetic = proved.order.tree, proved.order.arithmetic
    words, brief = in_words(orders, proved, describe), in_words(orders, proved, summed_up)
    return SideOrder(
        side,
        proved.count,
        notation(tree),
        words,
        len(tree.fused_taps()),
        "" if brief == words else brief,
        arithmetic.words,
        orders.where(proved),
        step=proved.order.step.unusual,
    )


def _flat(elements: Array, common: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Return flat indices into what two outputs have in common, (m,), as such into one of them."""
    if common == shape:
        return elements
    return np.ravel_multi_index(np.unravel_index(elements, common), shape)


def _parted(
    baseline: Orders,
    candidate: Orders,
    outputs: tuple[Array, Array],
    worst: tuple[int, int, int, int] | None,
) -> Parted | None:
    if worst is None:
        return None
    elements = [int(np.ravel_multi_index(worst, output.shape)) for output in outputs]
    for orders, element in zip((baseline, candidate), elements, strict=True):
        if orders.which().reshape(-1)[element] < 0:
            return None
    first = divergence(baseline, candidate, *elements)
    if first is None:
        return None
    which = int(baseline.which().reshape(-1)[elements[0]])
    name = baseline.geometry_of(baseline.orders[which]).name
    names = tuple(name(leaf) for leaf in first.terms)
    return Parted(worst, names, first.sum_a, first.sum_b)
