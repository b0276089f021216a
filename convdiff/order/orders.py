"""Explain all elements of an output: reveal one, replay it on all, go on with those left over.

Nothing is called explained without its proof: an order counts for an element only if its replay
gave the element's bits on the case's numbers and on random ones, and if the element answered the
probes as the revealed one did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.element import order_of
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Data, Order, replay
from convdiff.order.replay.verification import ObservedCall, observe_calls
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.fma_probes import starts_from_zero
from convdiff.order.reveal.kernel import Kernel
from convdiff.order.reveal.refusal import Refusal, RefusedError

#: Elements without an order after which no further one is tried.
_HOPELESS_ELEMENTS = 3

#: Calls that one explanation may make unless it is told otherwise.
BUDGET = 20_000


@dataclass(frozen=True, eq=False)
class ProvedOrder:
    """An order and the (positions, cout) elements whose bits its replay gave, in every call.

    confirmed: whether each element answered every reading that the order needs; where that takes
    too many calls, each answered a sample of them.
    """

    order: Order
    elements: Array
    confirmed: bool = True

    @property
    def count(self) -> int:
        """Elements proven to have this order."""
        return int(self.elements.sum())


@dataclass(frozen=True, eq=False)
class Orders:
    """What is known of one kernel's orders on one case.

    output: (positions, cout), the bits that were explained (all zero where there was no run).
    orders: disjoint, in the order of their first element. refusals: why elements have none.
    """

    geometry: Geometry
    data: Data
    output: Array
    orders: tuple[ProvedOrder, ...]
    refusals: tuple[Refusal, ...]
    calls: int

    @property
    def status(self) -> str:
        """'proved' (all elements), 'partial' or 'unexplained'."""
        if not self.orders:
            return "unexplained"
        return "partial" if self.unexplained else "proved"

    @property
    def confirmed(self) -> bool:
        """Whether every order was confirmed by all readings in every channel, not by a sample."""
        return all(proved.confirmed for proved in self.orders)

    @property
    def replayed(self) -> tuple[int, int]:
        """(k, n): k of n elements are replayed bit for bit."""
        return sum(proved.count for proved in self.orders), self.output.size

    @property
    def unexplained(self) -> int:
        """Elements without a proven order."""
        replayed, total = self.replayed
        return total - replayed

    def which(self) -> Array:
        """Return the index into `orders` of each element, shape (positions, cout); -1 is none."""
        index = np.full(self.output.shape, -1, np.int64)
        for k, proved in enumerate(self.orders):
            index[proved.elements] = k
        return index


def orders_of(
    kernel: Kernel, data: Data, observed: Array | None = None, budget: int = BUDGET
) -> Orders:
    """Return the orders of all output elements of a kernel, as far as they can be proven.

    data: the case's numbers in the kernel's shapes. observed: (positions, cout) output of an
    earlier run of them, float64 for float64 and float32 otherwise; None runs them. budget: calls.
    """
    budgeted = BudgetedKernel(kernel, budget)
    shape = (kernel.geometry.positions, kernel.geometry.cout)
    try:
        calls = observe_calls(budgeted, data, observed)
        plus_zero = starts_from_zero(budgeted)
    except RefusedError as refused:
        output = np.zeros(shape, np.float32) if observed is None else observed
        return Orders(kernel.geometry, data, output, (), (refused.refusal,), budgeted.calls)
    orders, refusals = _all_orders(budgeted, calls, plus_zero)
    return Orders(
        kernel.geometry,
        data,
        calls[0].output,
        tuple(orders.values()),
        tuple(refusals),
        budgeted.calls,
    )


def _all_orders(
    kernel: BudgetedKernel, calls: Sequence[ObservedCall], plus_zero: Array
) -> tuple[dict[Order, ProvedOrder], list[Refusal]]:
    """Return the proven orders with their elements, and the reasons why others have none."""
    orders: dict[Order, ProvedOrder] = {}
    refusals: list[Refusal] = []
    left = np.ones_like(plus_zero)
    while left.any() and len(refusals) < _HOPELESS_ELEMENTS:
        position, channel = (int(k) for k in np.argwhere(left)[0])
        zero = bool(plus_zero[position, channel])
        try:
            revealed = order_of(kernel, position, channel, calls, zero, first=not refusals)
        except RefusedError as refused:
            refusals.append(refused.refusal)
            break
        left[position, channel] = False
        if isinstance(revealed, Refusal):
            refusals.append(revealed)
            if revealed.kind in ("transform", "unstable"):
                break
            continue
        agreeing = left & revealed.agreeing & (plus_zero == zero)
        proven = _replayed(revealed.order, kernel.geometry, calls, agreeing)
        left &= ~proven
        proven[position, channel] = True
        confirmed = revealed.confirmed
        for other in _absorbed(revealed.order, orders, kernel.geometry, calls):
            proven |= other.elements
            confirmed &= other.confirmed
        orders[revealed.order] = ProvedOrder(revealed.order, proven, confirmed)
    return orders, refusals


def _absorbed(
    order: Order,
    orders: dict[Order, ProvedOrder],
    geometry: Geometry,
    calls: Sequence[ObservedCall],
) -> list[ProvedOrder]:
    """Take out of `orders` this one, and those of the same tree that it explains too.

    Two roundings of one tree may give the same bits in some elements and not in others. One order
    for all of them is the simpler account, and as well proved.
    """
    taken = []
    for other in [one for one in orders if one.tree == order.tree]:
        elements = orders[other].elements
        if other == order or _replayed(order, geometry, calls, elements)[elements].all():
            taken.append(orders.pop(other))
    return taken


def _replayed(
    order: Order, geometry: Geometry, calls: Sequence[ObservedCall], elements: Array
) -> Array:
    """Return which of the elements the replay reproduces in every call."""
    proven: Array = elements.copy()
    for call in reversed(calls):  # random numbers tell orders apart better than most cases do
        positions = np.flatnonzero(proven.any(axis=1))
        channels = np.flatnonzero(proven.any(axis=0))
        if not len(positions):
            break
        block = np.ix_(positions, channels)
        sums = replay(order, geometry, call.data, positions, channels)
        proven[block] &= same_bits(sums, call.output[block])
    return proven
