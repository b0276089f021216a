"""The orders of one output, or of two and why they differ: observe, reveal, replay, compare."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.device import Device
from convdiff.case.model import Case
from convdiff.compare.align import aligned, shared
from convdiff.compare.difference import Difference, measure
from convdiff.diagnose.cause import explain_difference
from convdiff.errors import ConvdiffError
from convdiff.explaining.choose import farthest, first_to_differ
from convdiff.explaining.element import with_element, with_parting
from convdiff.explaining.model import Element, ElementReport, Index, PairReport
from convdiff.lab.lab import NotAsked, Tell
from convdiff.lab.live import LiveLab
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Interpreter, Standing


@dataclass(frozen=True)
class Wanted:
    """Which outputs are asked for: one, or two that differ in one thing, the baseline first."""

    op: str
    lengths: tuple[int, ...]
    batches: tuple[int, ...]
    index: Index | None
    """NHWC; None is the element that says most."""

    def refuse_outside(self, case: Case) -> None:
        """Raise ConvdiffError where one of a case's outputs has no element at the index."""
        if self.index is None:
            return
        order = case.output_order
        for length, batch in product(self.lengths, self.batches):
            shape = case.conv.output_shape(batch, case.height, length)
            if any(i >= n for i, n in zip(self.index, shape, strict=True)):
                index, there = order.index(self.index), order.named(order.spoken(shape))
                raise ConvdiffError(f"--index {index} is outside of the output, {there}")

    def refuse_many(self, runtimes: int) -> None:
        """Raise ConvdiffError where more than two outputs are asked for."""
        if runtimes > 2:
            raise ConvdiffError(
                f"explain looks at one runtime, or at two and why they differ; {runtimes} are named"
            )
        outputs = runtimes * len(self.lengths) * len(self.batches)
        if outputs > 2:
            raise ConvdiffError(
                "explain looks at one output, or at two that differ in one thing: --lengths, "
                f"--batch or the runtime; {outputs} are asked for"
            )


def explain(
    case: Case, session: Session, wanted: Wanted, budget: int, tell: Tell
) -> ElementReport | PairReport:
    """Explain one output of a case, or two and why they differ.

    Raises ConvdiffError for an index outside of the output, and for more than two outputs.
    """
    watch = Watch(tell, session.stopping)
    standings = _one_each(case, session.availability(case))
    wanted.refuse_many(len(standings))
    cells = _cells(standings, wanted)
    asked = None if wanted.index is None else Element(wanted.index)
    tensors = make_tensors(case)
    fingerprints = {standing.runtime: standing.fingerprint for standing in standings}
    live = LiveLab(case, tensors, session, fingerprints, budget, watch, whole=True)
    with closing(live) as lab:
        for _ in lab.observe([cell for standing, cell in cells if standing.available]):
            pass
        sides = [_side(case, lab, *cell) for cell in cells]
        outputs = [lab.bits(side.cell) for side in sides]
    shown = watch.compute("choosing what is drawn", lambda: _shown(sides, outputs, tensors, asked))
    return _cut_short(sides, shown) if isinstance(shown, NotAsked) else shown


def _shown(
    sides: Sequence[ElementReport],
    outputs: Sequence[Array | NoBits],
    tensors: Tensors,
    asked: Element | None,
) -> ElementReport | PairReport:
    if len(sides) == 2:
        return _pair(sides, outputs, tensors, asked)
    return _one(sides[0], outputs[0], tensors, asked)


def _cut_short(sides: Sequence[ElementReport], why: NotAsked) -> ElementReport | PairReport:
    """Report of outputs of which nothing can be drawn any more."""
    ended = [replace(side, explanation=None, reason=why.reason) for side in sides]
    return PairReport(ended[0], ended[1]) if len(ended) == 2 else ended[0]


def _one_each(case: Case, standings: Sequence[Standing]) -> list[Standing]:
    """Return one runtime for each that is asked for: `gpu` is every GPU, and the first will do."""
    kept: dict[tuple[Interpreter, Device], Standing] = {}
    for standing in standings:
        interpreter, device = standing.runtime.interpreter, standing.runtime.device
        if device.of_any_index in interpreter.devices_of(case.devices):
            device = device.of_any_index
        kept.setdefault((interpreter, device), standing)
    return list(kept.values())


def _cells(standings: Sequence[Standing], wanted: Wanted) -> list[tuple[Standing, Cell]]:
    cells = []
    for standing in standings:
        for length in wanted.lengths:
            for batch in wanted.batches:
                cells.append((standing, Cell(standing.runtime, wanted.op, length, batch)))
    return cells


def _side(case: Case, lab: LiveLab, standing: Standing, cell: Cell) -> ElementReport:
    """Report of an output's orders, and of no element yet."""
    report = ElementReport(case, standing, cell)
    if not standing.available:
        return replace(report, reason=standing.reason)
    output, wanted = lab.bits(cell), case.conv.output_shape(cell.batch, case.height, cell.length)
    if isinstance(output, NoBits):
        return replace(report, reason=output.reason)
    if output.shape != wanted:
        return replace(report, reason=f"it gave shape {output.shape}, expected {wanted}")
    orders = lab.orders(cell)
    if isinstance(orders, NotAsked):
        return replace(report, reason=orders.reason)
    return replace(report, explanation=orders)


def _one(
    side: ElementReport, output: Array | NoBits, tensors: Tensors, asked: Element | None
) -> ElementReport:
    if side.explanation is None or isinstance(output, NoBits):
        return side
    chosen = asked or farthest(side.case.conv, tensors, output, side.explanation)
    return with_element(side, chosen, output, tensors)


def _pair(
    sides: Sequence[ElementReport],
    outputs: Sequence[Array | NoBits],
    tensors: Tensors,
    asked: Element | None,
) -> PairReport:
    """Compare two outputs, explain why they differ, and choose an element that shows it."""
    first, second = outputs
    pair = PairReport(sides[0], sides[1], _difference(sides, first, second))
    orders = sides[0].explanation, sides[1].explanation
    if orders[0] is None or orders[1] is None:
        alone = [_one(*one, tensors, asked) for one in zip(sides, outputs, strict=True)]
        return replace(pair, baseline=alone[0], candidate=alone[1])
    assert not isinstance(first, NoBits) and not isinstance(second, NoBits)
    both, bits = (orders[0], orders[1]), (first, second)
    _refuse_unlike(both, asked)
    differing = first_to_differ(bits, both)
    smaller = 0 if first.size <= second.size else 1
    chosen = asked or differing
    if chosen is None:
        chosen = farthest(sides[0].case.conv, tensors, bits[smaller], both[smaller])
    drawn = [with_element(*one, tensors) for one in zip(sides, [chosen] * 2, bits, strict=True)]
    pair = with_parting(drawn, pair)
    if differing is None:
        return pair
    worst = chosen.index
    if first[worst] == second[worst]:
        worst = differing.index
    return replace(pair, why=explain_difference(*both, bits, worst, strict=False))


def _refuse_unlike(orders: tuple[Orders, Orders], asked: Element | None) -> None:
    """Raise ConvdiffError where the outputs, or those at the index, see other inputs."""
    one, other = (side.geometry for side in orders)
    lengths = one.input_nhwc[2], other.input_nhwc[2]
    width, named = shared(one.conv, lengths), f"lengths {lengths[0]} and {lengths[1]}"
    if not width:
        text = "their windows start elsewhere, and see other inputs; explain each by itself"
        raise ConvdiffError(f"{named}: {text}")
    if asked is not None and asked.index[2] >= width:
        text = "one sees padding there where the other's input goes on; explain each by itself"
        raise ConvdiffError(f"{named}: {text}")


def _difference(
    sides: Sequence[ElementReport], first: Array | NoBits, second: Array | NoBits
) -> Difference | None:
    """Measure what two outputs share; None where one is missing or of another shape."""
    if isinstance(first, NoBits) or isinstance(second, NoBits):
        return None
    try:
        lengths = sides[0].cell.length, sides[1].cell.length
        both = aligned(first, second, shared(sides[0].case.conv, lengths))
        return measure(*both, strict=False, most=1)
    except ValueError:
        return None
