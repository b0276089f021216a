"""Safe lengths that follow from equal orders, and so hold for every input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.lab.lab import Lab, NotAsked
from convdiff.numerics.array import Array
from convdiff.order.footprint import Footprint
from convdiff.order.orders import Orders
from convdiff.order.replay.replay import Order
from convdiff.order.side_by_side import side_by_side
from convdiff.plan.alike import longest_alike
from convdiff.plan.cell import Cell
from convdiff.plan.cost import TOGETHER, products
from convdiff.plan.plan import Plan
from convdiff.runtime.model import Runtime

MOST_LENGTHS = 128
"""Lengths of one runtime whose orders are revealed to prove them safe."""


def prove(plan: Plan, lengths: Sequence[SafeLengths], lab: Lab) -> list[SafeLengths]:
    """Return the safe lengths with those that are proved, as far as the budget goes.

    Nothing is revealed of a runtime whose safe lengths are too many, or too large together.
    """
    proved = []
    for runtime, safe in zip(plan.runtimes, lengths, strict=False):  # none are found of one length
        proved.append(safe)
        if _is_cheap(plan, safe):
            proved[-1] = replace(safe, proved=_proved(plan, runtime, safe, lab))
    return proved


def _is_cheap(plan: Plan, safe: SafeLengths) -> bool:
    """Return whether all safe lengths are explained in a second or so; most share their orders."""
    if len(plan.case.lengths) > MOST_LENGTHS:
        return False
    cells = [_cell(plan, plan.runtimes[0], length) for length in (*safe.lengths, *safe.others)]
    return sum(products(plan.case, cell) for cell in cells) <= TOGETHER


def _proved(plan: Plan, runtime: Runtime, safe: SafeLengths, lab: Lab) -> tuple[int, ...]:
    """Return the lengths whose orders are the longest one's; the longest are revealed first."""
    lengths = sorted({*safe.lengths, *safe.others}, reverse=True)
    orders = {length: lab.orders(_cell(plan, runtime, length)) for length in lengths}
    equal = []
    for length, candidate in orders.items():
        longest = longest_alike(plan.case, length)
        baseline = orders.get(longest, candidate)
        if isinstance(candidate, NotAsked) or isinstance(baseline, NotAsked):
            continue
        if longest != length and same_orders(baseline, candidate):
            equal.append(length)
    return tuple(sorted(equal))


def _cell(plan: Plan, runtime: Runtime, length: int) -> Cell:
    return Cell(runtime, plan.case.conv.op, length, plan.case.batches[-1])


def same_orders(baseline: Orders, candidate: Orders) -> bool:
    """Return whether all elements that both have are proved to share their order.

    Only orders that every channel confirmed count: a sample is no proof for every input.
    """
    if not (baseline.confirmed and candidate.confirmed):
        return False
    one, other = order_maps(baseline, candidate)
    return bool((one >= 0).all() and (one == other).all())


def order_maps(baseline: Orders, candidate: Orders) -> tuple[Array, Array]:
    """Return each aligned element's order as a number, NHWC: equal where orders are; -1 is none."""
    numbers: dict[tuple[Order, Footprint | None] | None, int] = {}
    maps = []
    for side in (baseline, candidate):
        known = [(order.order, order.footprint) for order in side.orders]
        index = [numbers.setdefault(one, len(numbers)) for one in known]
        which = side.which()
        named: Array = np.where(which < 0, -1, np.array([*index, -1])[which])
        if side.padding is not None:
            named[side.padding] = numbers.setdefault(None, len(numbers))
        maps.append(named.reshape(side.geometry.output_nhwc))
    return side_by_side((baseline, candidate), *maps)
