"""The orders of one output, for `convdiff explain`: observe, reveal, replay; of two, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.model import Case
from convdiff.compare.difference import Difference, measure
from convdiff.diagnose.cause import Explanation, explain_difference
from convdiff.errors import ConvdiffError
from convdiff.lab.kernel import data_of
from convdiff.lab.lab import NotAsked, Tell
from convdiff.lab.live import LiveLab
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
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


@dataclass(frozen=True)
class PairReport:
    """What is known of two runtimes' orders of one output, and of why their bits differ."""

    baseline: ElementReport
    candidate: ElementReport
    difference: Difference | None = None
    """None where a side has no output, or the shapes differ."""
    why: Explanation | None = None
    """None where nothing differs, or a side's orders were not looked for."""

    @property
    def sides(self) -> tuple[ElementReport, ElementReport]:
        """Both reports, the baseline's first."""
        return self.baseline, self.candidate


def explain_one(
    case: Case, session: Session, op: str, index: tuple[int, ...] | None, budget: int, tell: Tell
) -> ElementReport:
    """Explain the case's one cell. Raises ConvdiffError for an index outside of the output."""
    at, tensors = _element(case, index), make_tensors(case)
    standings = session.availability(case)[:1]
    with closing(_lab(case, tensors, session, standings, budget, tell)) as lab:
        (report,) = _reports(case, lab, standings, op, at)
    return report


def explain_pair(
    case: Case, session: Session, op: str, index: tuple[int, ...] | None, budget: int, tell: Tell
) -> PairReport:
    """Explain the case's one cell on two runtimes, and why they differ.

    Raises ConvdiffError for an index outside of the output, and where there are no two runtimes.
    """
    at, tensors = _element(case, index), make_tensors(case)
    standings = session.availability(case)
    if len(standings) != 2:
        raise ConvdiffError(f"explain compares two runtimes, and {len(standings)} are named")
    with closing(_lab(case, tensors, session, standings, budget, tell)) as lab:
        baseline, candidate = _reports(case, lab, standings, op, at)
        outputs = [lab.bits(one.cell) for one in (baseline, candidate) if one.cell is not None]
    given = [output for output in outputs if not isinstance(output, NoBits)]
    if len(given) < 2 or given[0].shape != given[1].shape:
        return PairReport(baseline, candidate)
    difference = measure(given[0], given[1], strict=False, most=1)
    worst = at if index is not None and _differs_at(given, at) else difference.max_index
    found = PairReport(baseline, candidate, difference)
    return replace(found, why=_why(found, (given[0], given[1]), worst))


def _why(
    found: PairReport, outputs: tuple[Array, Array], worst: Index | None
) -> Explanation | None:
    """Return why the outputs of both sides differ, where they do and their orders were asked."""
    orders = found.baseline.explanation, found.candidate.explanation
    if orders[0] is None or orders[1] is None or worst is None:
        return None
    return explain_difference(orders[0], orders[1], outputs, worst, strict=False)


def _differs_at(outputs: Sequence[Array], at: Index) -> bool:
    return bool(outputs[0][at] != outputs[1][at])


def _lab(
    case: Case,
    tensors: Tensors,
    session: Session,
    standings: Sequence[Standing],
    budget: int,
    tell: Tell,
) -> LiveLab:
    fingerprints = {standing.runtime: standing.fingerprint for standing in standings}
    return LiveLab(case, tensors, session, fingerprints, budget, tell)


def _reports(
    case: Case, lab: LiveLab, standings: Sequence[Standing], op: str, at: Index
) -> list[ElementReport]:
    """Observe the case's one cell on each runtime that is there, and report of each."""
    cells = {
        standing.runtime: Cell(standing.runtime, op, case.lengths[-1], case.batches[-1])
        for standing in standings
        if standing.available
    }
    for _ in lab.observe(list(cells.values())):
        pass
    return [_report(case, lab, one, cells.get(one.runtime), at) for one in standings]


def _report(
    case: Case, lab: LiveLab, standing: Standing, cell: Cell | None, at: Index
) -> ElementReport:
    if cell is None:
        return ElementReport(case, standing, None, None, standing.reason, at, -1, {})
    output, wanted = lab.bits(cell), _shape(case)
    if isinstance(output, NoBits):
        return ElementReport(case, standing, cell, None, output.reason, at, -1, {})
    if output.shape != wanted:
        reason = f"it gave shape {output.shape}, expected {wanted}"
        return ElementReport(case, standing, cell, None, reason, at, -1, {})
    orders = lab.orders(cell)
    if isinstance(orders, NotAsked):
        return ElementReport(case, standing, cell, None, orders.reason, at, -1, {})
    which, sums = _drawn(orders, cell, lab.inputs(cell), at)
    return ElementReport(case, standing, cell, orders, None, at, which, sums)


def _element(case: Case, index: tuple[int, ...] | None) -> Index:
    """Return the element that is asked for; the first where none is."""
    at = (0, 0, 0, 0) if index is None else (index[0], index[1], index[2], index[3])
    shape = _shape(case)
    if any(i >= n for i, n in zip(at, shape, strict=True)):
        raise ConvdiffError(f"--index {','.join(map(str, at))} is outside of the output {shape}")
    return at


def _shape(case: Case) -> tuple[int, ...]:
    return case.conv.output_shape(case.batches[-1], case.height, case.lengths[-1])


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
