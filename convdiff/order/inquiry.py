"""An explanation under way: which elements of an output have a proven order by now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.geometry import Geometry
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.replay import Order, replay
from convdiff.order.replay.rounding_candidates import flushes
from convdiff.order.replay.verification import ObservedCall, Trials, gives
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.fma_probes import starts_from_zero
from convdiff.order.reveal.memory import OrderMemory
from convdiff.order.reveal.suite import Suite
from convdiff.order.reveal.verify import verify
from convdiff.order.tree.tree import Tree

#: Elements of a verified tree whose bits it does not give, after which no further one is tried.
_HOPELESS = 3


class Inquiry:
    """One kernel's elements, those `left` without an order, and the orders proved so far.

    plus_zero: (positions, cout), whether a sum of -0 terms comes out as +0. among: (positions,),
    whose elements are asked; all of them see the taps of the kernel's geometry. memory: of the
    session.
    """

    def __init__(
        self,
        kernel: BudgetedKernel,
        trials: Trials,
        plus_zero: Array,
        among: Array,
        memory: OrderMemory,
    ) -> None:
        self.kernel, self.trials, self.memory = kernel, trials, memory
        self.left = np.repeat(among[:, None], plus_zero.shape[1], axis=1)
        self.plus_zero = plus_zero
        self._orders: dict[Order, ProvedOrder] = {}
        self._verified: set[tuple[Tree, Arithmetic | None]] = set()

    def seen_by(self, geometry: Geometry) -> Inquiry:
        """Return an inquiry of the same elements, which see the taps of this geometry alone.

        Raises RefusedError (budget, failed).
        """
        among, case = np.asarray(self.left.any(axis=1)), self.trials.case
        kernel = self.kernel.seen_by(geometry, np.flatnonzero(among))
        turned = (case.output == 0) & _positive(case.data.filter_hwio, geometry)
        plus_zero = self.plus_zero
        if turned.any():
            plus_zero = plus_zero | (turned & starts_from_zero(kernel))
        return Inquiry(kernel, self.trials.seen_by(geometry), plus_zero, among, self.memory)

    @property
    def orders(self) -> tuple[ProvedOrder, ...]:
        """The orders proved so far, disjoint."""
        return tuple(self._orders.values())

    def try_tree(self, tree: Tree, arithmetic: Arithmetic | None = None) -> None:
        """Put a tree's vectors to what is left, and take those elements for it that answer them.

        arithmetic: what its sums are where they are no plain float32; see `Suite`. Raises
        RefusedError (budget, failed).
        """
        plain = None if arithmetic is None else replace(arithmetic, zero_start=False)
        if (tree, plain) not in self._verified:
            self._try(self.memory.suite(tree, plain))

    def _try(self, suite: Suite) -> None:
        self._verified.add((suite.tree, suite.arithmetic))
        agreeing = verify(self.kernel, suite, self.left)
        if not agreeing.any():
            return
        self.memory.keep(suite)
        for zero in np.unique(self.plus_zero[agreeing]):
            elements = agreeing & (self.plus_zero == zero)
            if suite.arithmetic is None:
                self._take_verified(suite, elements, bool(zero))
            else:
                arithmetic = replace(suite.arithmetic, zero_start=bool(zero))
                self.take(Order(suite.tree, arithmetic), elements, confirmed=True)

    def _take_verified(self, suite: Suite, elements: Array, zero: bool) -> None:
        """Take the elements whose bits a verified tree gives on the case's own numbers.

        Nothing but numbers is left to be told there: which subnormal ones are taken for zero.
        """
        dtype, unfit = self.kernel.geometry.dtype, 0
        order: Order | None = Order(suite.tree, Arithmetic(dtype, zero_start=zero))
        while elements.any() and unfit < _HOPELESS:
            if order is None:
                elements[_first(elements)] = False
                unfit += 1
            else:
                proven = self._replayed(order, [self.trials.case], elements)
                self._add(ProvedOrder(order, proven, not suite.undecided, suite.undecided))
                elements &= ~proven
            order = self._flushing(suite.tree, zero, elements)

    def _flushing(self, tree: Tree, zero: bool, elements: Array) -> Order | None:
        """Return the order of a tree, of all it may flush, that gives the first element's bits."""
        if not elements.any():
            return None
        geometry, element = self.kernel.geometry, _first(elements)
        for flush in flushes(geometry.dtype):
            order = Order(tree, Arithmetic(geometry.dtype, zero_start=zero, flush=flush))
            if gives(order, geometry, self.trials.case, *element):
                return order
        return None

    def take(self, order: Order, elements: Array, *, confirmed: bool) -> None:
        """Take those of the elements whose bits the order gives in all trials, if they are left."""
        elements = elements & self.left & (self.plus_zero == order.arithmetic.zero_start)
        self._add(ProvedOrder(order, self._replayed(order, self.trials.all(), elements), confirmed))

    def _add(self, proved: ProvedOrder) -> None:
        """Add an order's elements, and those of others of the same tree that it explains too.

        Two roundings of one tree may give the same bits in some elements and not in others. One
        order for all of them is the simpler account, and as well proved.
        """
        order, elements, confirmed = proved.order, proved.elements, proved.confirmed
        if not elements.any():
            return
        self.left &= ~elements
        for other in list(self._absorbed(order)):
            elements = elements | other.elements
            confirmed &= other.confirmed
        self._orders[order] = ProvedOrder(order, elements, confirmed, proved.undecided)

    def _absorbed(self, order: Order) -> Iterator[ProvedOrder]:
        """Take out this order, and those of its tree whose elements it explains."""
        for other in [one for one in self._orders if one.tree == order.tree]:
            elements = self._orders[other].elements
            calls = self.trials.made
            if other == order or self._replayed(order, calls, elements)[elements].all():
                yield self._orders.pop(other)

    def _replayed(self, order: Order, calls: Sequence[ObservedCall], elements: Array) -> Array:
        """Return which of the elements the replay reproduces in every call."""
        proven: Array = elements.copy()
        for call in reversed(calls):  # random numbers tell orders apart better than most cases do
            positions = np.flatnonzero(proven.any(axis=1))
            channels = np.flatnonzero(proven.any(axis=0))
            if not len(positions):
                break
            block = np.ix_(positions, channels)
            sums = replay(order, self.kernel.geometry, call.data, positions, channels)
            proven[block] &= same_bits(sums, call.output[block])
        return proven


def _positive(filter_hwio: Array, geometry: Geometry) -> Array:
    """Return the channels, (cout,), that have a weight of positive sign outside of a window.

    A kernel that adds padding adds it as +0 there, which turns a sum of -0.
    """
    outside = np.ones(filter_hwio.shape[:2], bool)
    outside[np.ix_(*geometry.window)] = False
    return np.asarray((~np.signbit(filter_hwio[outside])).any(axis=(0, 1)))


def _first(elements: Array) -> tuple[int, int]:
    """Return the position and channel of the first element of a mask."""
    position, channel = np.unravel_index(int(elements.argmax()), elements.shape)
    return int(position), int(channel)
