"""Explain all elements of an output: try what is remembered, then reveal what is left over.

Nothing is called explained without its proof: an order counts for an element only if its replay
gave the element's bits on the case's numbers, and if the element answered all its vectors; where
there are none, on random numbers too, and if it answered the probes as the revealed one did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.element import explain_element
from convdiff.order.geometry import Geometry
from convdiff.order.inquiry import Inquiry
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.replay import Data
from convdiff.order.replay.verification import Trials
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.fma_probes import starts_from_zero
from convdiff.order.reveal.kernel import Kernel
from convdiff.order.reveal.memory import OrderMemory
from convdiff.order.reveal.refusal import Refusal, RefusedError
from convdiff.order.reveal.suite import can_be_verified

#: Elements without an order after which no further one is tried.
_HOPELESS_ELEMENTS = 3

#: Calls that one explanation may make unless it is told otherwise.
BUDGET = 20_000


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
        """Whether every element answered all that tells its order from others, not a sample."""
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
        index = np.full(self.output.shape, -1, np.int32)
        for k, proved in enumerate(self.orders):
            index[proved.elements] = k
        return index


def orders_of(
    kernel: Kernel,
    data: Data,
    observed: Array | None = None,
    budget: int = BUDGET,
    memory: OrderMemory | None = None,
) -> Orders:
    """Return the orders of all output elements of a kernel, as far as they can be proven.

    data: the case's numbers in the kernel's shapes. observed: (positions, cout) output of an
    earlier run of them, float64 for float64 and float32 otherwise; None runs them. budget: calls.
    memory: of kernels asked before, and of this one.
    """
    budgeted = BudgetedKernel(kernel, budget)
    shape = (kernel.geometry.positions, kernel.geometry.cout)
    try:
        trials = Trials(budgeted, data, observed)
        plus_zero = starts_from_zero(budgeted)
        if not can_be_verified(kernel.geometry):
            trials.all()  # what is unstable there is not read in vain
    except RefusedError as refused:
        output = np.zeros(shape, np.float32) if observed is None else observed
        return Orders(kernel.geometry, data, output, (), (refused.refusal,), budgeted.calls)
    inquiry = Inquiry(budgeted, trials, plus_zero, memory or OrderMemory())
    refusals = tuple(_explained(inquiry))
    output = trials.case.output
    return Orders(kernel.geometry, data, output, inquiry.orders, refusals, budgeted.calls)


def _explained(inquiry: Inquiry) -> list[Refusal]:
    """Prove the orders of all elements; return the reasons why some have none."""
    refusals: list[Refusal] = []
    try:
        for suite in inquiry.memory.recall(inquiry.kernel.geometry):
            inquiry.try_suite(suite)
        while inquiry.left.any() and len(refusals) < _HOPELESS_ELEMENTS:
            position, channel = (int(k) for k in np.argwhere(inquiry.left)[0])
            refusal = explain_element(inquiry, position, channel, first=not refusals)
            inquiry.left[position, channel] = False
            if refusal is not None:
                refusals.append(refusal)
                if refusal.kind in ("transform", "unstable"):
                    break
    except RefusedError as refused:
        refusals.append(refused.refusal)
    return refusals
