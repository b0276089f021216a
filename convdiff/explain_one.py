"""The orders of one output, for `convdiff explain`: observe, reveal, replay."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.model import Case
from convdiff.errors import ConvdiffError
from convdiff.lab.kernel import data_of
from convdiff.lab.lab import NotAsked, Tell
from convdiff.lab.live import LiveLab
from convdiff.lab.session import Session
from convdiff.order.orders import Orders
from convdiff.order.replay.replay import partial_sums
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Standing

Index = tuple[int, int, int, int]
"""NHWC"""


@dataclass(frozen=True)
class ElementReport:
    """What is known of one output's orders, and of one of its elements."""

    case: Case
    standing: Standing
    cell: Cell | None
    explanation: Orders | None
    """None where the runtime gave no output; `reason` then says why."""
    reason: str | None
    index: Index
    """The element that is drawn."""
    order: int
    """Its order's place in the explanation's orders; -1 where it has none."""
    sums: Mapping[int, float]
    """Its partial sums on the case's numbers, by node of its order."""


def explain_one(
    case: Case, session: Session, op: str, index: tuple[int, ...] | None, budget: int, tell: Tell
) -> ElementReport:
    """Explain the case's one cell. Raises ConvdiffError for an index outside of the output."""
    at = _element(case, index)
    standing = session.availability(case)[0]
    if not standing.available:
        return ElementReport(case, standing, None, None, standing.reason, at, -1, {})
    tensors = make_tensors(case)
    cell = Cell(standing.runtime, op, case.lengths[-1], case.batches[-1])
    fingerprints = {standing.runtime: standing.fingerprint}
    with closing(LiveLab(case, tensors, session, fingerprints, budget, tell)) as lab:
        for _ in lab.observe([cell]):
            pass
        output, orders = lab.bits(cell), lab.orders(cell)
    if isinstance(output, NoBits):
        return ElementReport(case, standing, cell, None, output.reason, at, -1, {})
    if isinstance(orders, NotAsked):
        return ElementReport(case, standing, cell, None, orders.reason, at, -1, {})
    which, sums = _drawn(orders, cell, tensors, at)
    return ElementReport(case, standing, cell, orders, None, at, which, sums)


def _element(case: Case, index: tuple[int, ...] | None) -> Index:
    """Return the element that is asked for; the first where none is."""
    at = (0, 0, 0, 0) if index is None else (index[0], index[1], index[2], index[3])
    shape = case.conv.output_shape(case.batches[-1], case.height, case.lengths[-1])
    if any(i >= n for i, n in zip(at, shape, strict=True)):
        raise ConvdiffError(f"--index {','.join(map(str, at))} is outside of the output {shape}")
    return at


def _drawn(
    orders: Orders, cell: Cell, tensors: Tensors, at: Index
) -> tuple[int, Mapping[int, float]]:
    """Return which order an element has (-1: none), and its partial sums by node."""
    _, height, width, _ = orders.geometry.output_nhwc
    position = (at[0] * height + at[1]) * width + at[2]
    which = int(orders.which()[position, at[3]])
    if which < 0:
        return which, {}
    order, data = orders.orders[which].order, data_of(cell, tensors)
    return which, partial_sums(order, orders.geometry, data, position, at[3])
