"""Prove the orders of an output's elements, those that see the same taps at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.element import explain_element
from convdiff.order.footprint import footprints
from convdiff.order.geometry import Geometry
from convdiff.order.inquiry import Inquiry
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.replay import Data, Order
from convdiff.order.replay.step import NO_STEP, Step
from convdiff.order.replay.verification import Trials
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.memory import OrderMemory
from convdiff.order.reveal.refusal import Refusal, RefusedError
from convdiff.order.reveal.suite import can_be_verified, has_overflows
from convdiff.order.tree.induced import induced

#: Elements without an order after which no further one is tried.
_HOPELESS_ELEMENTS = 3

#: Refusals after which no elements of other taps are tried.
_FINAL = ("transform", "unstable", "failed", "budget")

#: Orders of elements that see more taps of which what is left is tried.
_INDUCED = 4


def by_footprint(
    kernel: BudgetedKernel, trials: Trials, plus_zero: Array, memory: OrderMemory
) -> tuple[tuple[ProvedOrder, ...], tuple[Refusal, ...]]:
    """Return the orders that could be proved, of all elements, and why some have none.

    plus_zero: (positions, cout), whether a sum of -0 terms comes out as +0.
    """
    orders: list[ProvedOrder] = []
    refusals: list[Refusal] = []
    whole = kernel.geometry
    for footprint, among in footprints(whole.conv, whole.input_nhwc):
        geometry = whole.seeing(footprint)
        if not geometry.taps:
            continue
        try:
            inquiry = Inquiry(kernel, trials, plus_zero, among, memory)
            if geometry != whole or not among.all():
                inquiry = inquiry.seen_by(geometry)
        except RefusedError as error:
            refusals.append(error.refusal)
            break
        refused = _explained(inquiry, _likely(whole, orders, geometry))
        orders += [replace(order, footprint=geometry.footprint) for order in inquiry.orders]
        refusals += refused
        if refused and (not orders or refused[-1].kind in _FINAL):
            break
    return tuple(orders), tuple(dict.fromkeys(refusals))


def _likely(whole: Geometry, orders: Sequence[ProvedOrder], geometry: Geometry) -> Iterator[Order]:
    """Yield what is left of the orders of elements that see more taps, where only these are.

    So adds a kernel that adds padding too: zeros change no sum.
    """
    if geometry.footprint is None:
        return
    left: dict[Order, None] = {}
    for one in orders:
        if one.footprint is None or one.footprint.holds(geometry.footprint):
            leaves = whole.seeing(one.footprint).leaves_of(geometry)
            left[replace(one.order, tree=induced(one.order.tree, leaves))] = None
    yield from islice(left, _INDUCED)


def _explained(inquiry: Inquiry, likely: Iterator[Order]) -> list[Refusal]:
    """Prove the orders of all elements that are left; return the reasons why some have none."""
    refusals: list[Refusal] = []
    try:
        _try_known(inquiry, likely)
        while inquiry.left.any() and len(refusals) < _HOPELESS_ELEMENTS:
            position, channel = np.argwhere(inquiry.left)[0].tolist()
            refusal = explain_element(inquiry, position, channel, first=not refusals)
            inquiry.left[position, channel] = False
            if refusal is not None:
                refusals.append(refusal)
                if refusal.kind in ("transform", "unstable"):
                    break
    except RefusedError as refused:
        refusals.append(refused.refusal)
    return refusals


def _try_known(inquiry: Inquiry, likely: Iterator[Order]) -> None:
    """Put the vectors of likely orders, and of those that are remembered, to the elements."""
    geometry = inquiry.kernel.geometry
    for order in likely:
        if inquiry.left.any() and can_be_verified(geometry, order.tree):
            exact = has_overflows(order.tree, order.arithmetic)
            inquiry.try_tree(order.tree, order.arithmetic if exact else None)
    for suite in inquiry.memory.recall(geometry):
        inquiry.try_tree(suite.tree, suite.arithmetic)


def on_padding(
    geometry: Geometry, data: Data, output: Array, step: Step = NO_STEP
) -> tuple[Array | None, tuple[Refusal, ...]]:
    """Return which (positions, cout) elements see no tap and are the bias, or zero, after a step.

    None where all see one; a refusal where some that see none are something else.
    """
    among = np.zeros(geometry.positions, bool)
    for footprint, positions in footprints(geometry.conv, geometry.input_nhwc):
        if not geometry.seeing(footprint).taps:
            among |= positions
    if not among.any() or len(output) != len(among):
        return None, ()
    expected = np.zeros(1, output.dtype) if data.bias is None else data.bias
    if step.then:
        expected = step.of(np.broadcast_to(expected, output.shape), data.added, geometry.dtype)
    right = among[:, None] & ((output == expected) | (np.isnan(output) & np.isnan(expected)))
    wrong = int(np.count_nonzero(among) * geometry.cout - np.count_nonzero(right))
    if not wrong:
        return right, ()
    wanted = "the bias" if geometry.bias else "0"
    reason = f"{wrong:,} elements that see padding alone are not {wanted}"
    return right, (Refusal("not-replayed", reason),)
