"""Safe lengths that follow from equal orders, and so hold for every input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convdiff.compare.align import aligned
from convdiff.diagnose.explaining import Explainer, is_light
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.order.replay.replay import Order
from convdiff.plan.cell import Cell
from convdiff.plan.expand import Plan

MOST = 128
"""Lengths of one runtime whose orders are revealed to prove them safe."""


def prove(plan: Plan, found: Sequence[SafeLengths], explainer: Explainer) -> list[SafeLengths]:
    """Return the safe lengths with those that are proved, as far as the budget goes.

    Nothing is revealed where there are too many lengths, or where a cell is heavy.
    """
    case = plan.case
    longest = (case.batches[-1], case.lengths[-1])
    if not found or len(case.lengths) > MOST or not is_light(case, *longest):
        return list(found)
    proven = []
    for runtime, safe in zip(plan.runtimes, found, strict=True):
        orders = {
            length: explainer.of(Cell(runtime, case.conv.op, length, case.batches[-1]))
            for length in reversed(safe.lengths)
        }
        baseline = orders.pop(safe.longest)
        lengths = [
            length
            for length in sorted(orders)
            if baseline is not None
            and (candidate := orders[length]) is not None
            and same_orders(baseline, candidate)
        ]
        proven.append(replace(safe, proved=tuple(lengths)))
    return proven


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
    numbers: dict[Order, int] = {}
    maps = []
    for side in (baseline, candidate):
        index = [numbers.setdefault(one.order, len(numbers)) for one in side.orders]
        which = side.which()
        named: Array = np.where(which < 0, -1, np.array([*index, -1])[which])
        maps.append(named.reshape(side.geometry.output_nhwc))
    return aligned(*maps)
