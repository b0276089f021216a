"""The orders of a convolution that a step follows: proved before it, and then with it.

What the convolution gives before its step is explained as any other. Then the step is replayed, in
each way in which it may be done, and the way has to give the bits of the whole: an element of which
none does has no proven order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.by_footprint import on_padding
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.replay import Order, replay
from convdiff.order.replay.step import Step, likely_steps
from convdiff.order.replay.verification import ObservedCall
from convdiff.order.reveal.refusal import Refusal

UNLIKE = Refusal(
    "step-not-replayed",
    "the order before the step, and then the step, does not give the bits of the whole",
)


def with_step(before: Orders, then: str, calls: Sequence[ObservedCall]) -> Orders:
    """Return the orders of outputs with a step, from those before it.

    calls: of the whole, (positions, cout) each: the case's own first.
    """
    orders = [one for proved in before.orders for one in _stepped(before, proved, then, calls)]
    case, left = calls[0], before.unexplained
    padding, wrong = on_padding(before.geometry, case.data, case.output, Step(then))
    stepped = replace(
        before,
        data=case.data,
        output=case.output,
        orders=tuple(orders),
        padding=padding,
    )
    lost = (UNLIKE,) if stepped.unexplained > left else ()
    return replace(stepped, refusals=(*dict.fromkeys((*before.refusals, *wrong)), *lost))


def _stepped(
    before: Orders, proved: ProvedOrder, then: str, calls: Sequence[ObservedCall]
) -> Iterator[ProvedOrder]:
    """Yield an order with each way of its step that explains some of its elements, most first."""
    geometry = before.geometry_of(proved)
    steps = {
        step: _given(replace(proved.order, step=step), geometry, proved.elements, calls)
        for step in likely_steps(then)
    }
    left = proved.elements
    while left.any():
        step = max(steps, key=lambda one: int((steps[one] & left).sum()))
        elements = steps[step] & left
        if not elements.any():
            break
        yield replace(proved, order=replace(proved.order, step=step), elements=elements)
        left = left & ~elements


def _given(
    order: Order, geometry: Geometry, elements: Array, calls: Sequence[ObservedCall]
) -> Array:
    """Return which of the elements the replay gives the bits of in all calls, (positions, cout)."""
    if order.step.joins and order.whole is order.tree:
        return np.zeros_like(elements)
    positions, channels = (np.flatnonzero(elements.any(axis=axis)) for axis in (1, 0))
    block = np.ix_(positions, channels)
    given: Array = np.zeros_like(elements)
    given[block] = elements[block]
    for call in calls:
        data = replace(call.data, filter_hwio=geometry.cut(call.data.filter_hwio))
        sums = replay(order, geometry, data, positions, channels)
        given[block] &= same_bits(sums, call.output[block])
    return given
