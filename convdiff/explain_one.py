"""The orders of one output, for `convdiff explain`: observe, reveal, replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.errors import ConvdiffError
from convdiff.lab.availability import stand
from convdiff.lab.jobs import observe
from convdiff.lab.kernel import WorkerKernel, data_of, flat
from convdiff.lab.pool import Pool
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.replay import partial_sums
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Interpreter, Standing


@dataclass(frozen=True)
class ElementReport:
    """What is known of one output's orders, and of one of its elements."""

    case: Case
    standing: Standing
    cell: Cell | None
    explanation: Orders | None
    """None where the runtime gave no output; `reason` then says why."""
    reason: str | None
    index: tuple[int, int, int, int]
    """The element that is drawn, NHWC."""
    order: int
    """Its order's place in the explanation's orders; -1 where it has none."""
    sums: Mapping[int, float]
    """Its partial sums on the case's numbers, by node of its order."""


def explain_one(
    case: Case,
    interpreter: Interpreter,
    op: str,
    index: tuple[int, ...] | None,
    budget: int,
    pool: Pool,
) -> ElementReport:
    """Explain the case's one cell. Raises ConvdiffError for an index outside of the output."""
    at = (0, 0, 0, 0) if index is None else (index[0], index[1], index[2], index[3])
    shape = case.conv.output_shape(case.batches[-1], case.height, case.lengths[-1])
    if any(i >= n for i, n in zip(at, shape, strict=True)):
        raise ConvdiffError(f"--index {','.join(map(str, at))} is outside of the output {shape}")
    standing = next(iter(stand([interpreter], case.devices, pool)))
    if not standing.available:
        return ElementReport(case, standing, None, None, standing.reason, at, -1, {})
    tensors = make_tensors(case)
    cell = Cell(standing.runtime, op, case.lengths[-1], case.batches[-1])
    (observation,) = observe(case, [cell], tensors, pool)
    if observation.output is None:
        return ElementReport(case, standing, cell, None, observation.reason, at, -1, {})
    data = data_of(cell, tensors)
    kernel = WorkerKernel(case, cell, pool)
    found = orders_of(kernel, data, flat(observation.output), budget)
    position = (at[0] * shape[1] + at[1]) * shape[2] + at[2]
    which = int(found.which()[position, at[3]])
    sums: Mapping[int, float] = {}
    if which >= 0:
        sums = partial_sums(found.orders[which].order, kernel.geometry, data, position, at[3])
    return ElementReport(case, standing, cell, found, None, at, which, sums)
