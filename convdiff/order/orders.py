"""Explain all elements of an output: try what is remembered, then reveal what is left over.

Nothing is called explained without its proof: an order counts for an element only if its replay
gave the element's bits on the case's numbers, and if the element answered all its vectors; where
there are none, on random numbers too, and if it answered the probes as the revealed one did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.alike import alike
from convdiff.order.borders import border, counted
from convdiff.order.by_footprint import by_footprint, on_padding
from convdiff.order.footprint import footprints
from convdiff.order.geometry import Geometry
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.replay import Data
from convdiff.order.replay.verification import Trials
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.fma_probes import starts_from_zero
from convdiff.order.reveal.kernel import Kernel
from convdiff.order.reveal.memory import OrderMemory
from convdiff.order.reveal.refusal import Refusal, RefusedError
from convdiff.order.reveal.suite import can_be_verified

#: Calls that one explanation may make unless it is told otherwise.
BUDGET = 20_000


@dataclass(frozen=True, eq=False)
class Orders:
    """What is known of one kernel's orders on one case.

    output: (positions, cout), the bits that were explained (all zero where there was no run).
    orders: disjoint, those of elements that see the most taps first, then in the order of their
    first element. refusals: why elements have none. padding: the elements, proved, that see none:
    they are the bias, or zero; None where there are none.
    """

    geometry: Geometry
    data: Data
    output: Array
    orders: tuple[ProvedOrder, ...]
    refusals: tuple[Refusal, ...]
    calls: int
    padding: Array | None = None

    @property
    def status(self) -> str:
        """'proved' (all elements), 'partial' or 'unexplained'."""
        replayed, total = self.replayed
        if replayed == total:
            return "proved"
        return "partial" if replayed else "unexplained"

    @property
    def confirmed(self) -> bool:
        """Whether every element answered all that tells its order from others, not a sample."""
        return all(proved.confirmed for proved in self.orders)

    @property
    def replayed(self) -> tuple[int, int]:
        """(k, n): k of n elements are replayed bit for bit."""
        return self.alone + sum(proved.count for proved in self.orders), self.output.size

    @property
    def alone(self) -> int:
        """Elements that see no tap, as they are to be."""
        return 0 if self.padding is None else int(self.padding.sum())

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

    def geometry_of(self, proved: ProvedOrder) -> Geometry:
        """Return the geometry of what the elements of an order see."""
        return self.geometry.seeing(proved.footprint)

    def seen_by(self, number: int) -> Orders:
        """Return the same with the geometry and the filter of the taps that one order adds."""
        geometry = self.geometry_of(self.orders[number])
        weights = geometry.cut(self.data.filter_hwio)
        return replace(self, geometry=geometry, data=replace(self.data, filter_hwio=weights))

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all elements see all taps of the filter."""
        masks = footprints(self.geometry.conv, self.geometry.input_nhwc)
        return all(self.geometry.seeing(footprint).footprint is None for footprint, _ in masks)

    @cached_property
    def alike(self) -> tuple[tuple[int, ...], ...]:
        """The places of orders in groups that are told together, the one that is told first."""
        return alike(self.geometry, self.orders)

    def where(self, proved: ProvedOrder) -> str:
        """Say where the elements of an order lie; nothing where all see all taps."""
        return "" if self.is_uniform else border(self.geometry, proved.footprint).words

    def places(self, orders: Iterable[ProvedOrder]) -> tuple[str, ...]:
        """Say how many elements of some orders lie where; nothing where all see all taps."""
        if self.is_uniform:
            return ()
        return tuple(counted((border(self.geometry, one.footprint), one.count) for one in orders))

    @property
    def left(self) -> tuple[str, ...]:
        """Say how many elements that see some taps have no proved order, and where they lie."""
        if self.is_uniform or not self.unexplained:
            return ()
        unproved, lying = self.which() < 0, []
        for footprint, among in footprints(self.geometry.conv, self.geometry.input_nhwc):
            elements = int(np.count_nonzero(unproved[among]))
            if elements and self.geometry.seeing(footprint).taps:
                lying.append((border(self.geometry, footprint), elements))
        return tuple(counted(lying))


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
    orders, refusals = by_footprint(budgeted, trials, plus_zero, memory or OrderMemory())
    output = trials.case.output
    padding, wrong = on_padding(kernel.geometry, data, output)
    calls = budget - budgeted.left
    return Orders(kernel.geometry, data, output, orders, (*refusals, *wrong), calls, padding)
