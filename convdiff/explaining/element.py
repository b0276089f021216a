"""The numbers that an element's order adds, and where they part from the other side's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convdiff.case.arrays import Tensors
from convdiff.compare.reference import References
from convdiff.explaining.choose import flat
from convdiff.explaining.model import Element, ElementReport, PairReport
from convdiff.numerics.array import Array
from convdiff.order.divergence import divergence
from convdiff.order.replay.replay import leaf_values, partial_sums


def with_element(
    side: ElementReport, element: Element, output: Array, tensors: Tensors
) -> ElementReport:
    """Report of one of an output's elements, too: its value, order, products and partial sums."""
    orders = side.explanation
    assert orders is not None
    exact = References(side.case.conv, tensors).at(side.cell.length).exact_of(element.index)
    element = replace(element, output=float(output[element.index]), exact=float(exact))
    position, channel = flat(element.index, orders)
    which = int(orders.which()[position, channel])
    if which >= 0:
        order = orders.orders[which].order
        subject = orders.seen_by(which)
        sums_of = (order, subject.geometry, subject.data, position, channel)
        values = {**leaf_values(*sums_of), **partial_sums(*sums_of)}
        element = replace(element, order=which, values=values)
    return replace(side, element=element)


def with_parting(sides: Sequence[ElementReport], pair: PairReport) -> PairReport:
    """Report of both sides, and of the nodes at which the element's sums part, if they do."""
    baseline, candidate = sides
    nodes = _parting(baseline, candidate) if baseline.tree and candidate.tree else None
    if nodes is not None and baseline.element and candidate.element:
        baseline = replace(baseline, element=replace(baseline.element, parts=nodes[0]))
        candidate = replace(candidate, element=replace(candidate.element, parts=nodes[1]))
    return replace(pair, baseline=baseline, candidate=candidate)


def _parting(baseline: ElementReport, candidate: ElementReport) -> tuple[int, int] | None:
    """Return the nodes of both orders whose sum of the same terms is the first to differ."""
    orders, places = [], []
    for side in (baseline, candidate):
        assert side.explanation is not None and side.element is not None
        position, channel = flat(side.element.index, side.explanation)
        orders.append(side.explanation)
        places.append(position * side.explanation.geometry.cout + channel)
    first = divergence(orders[0], orders[1], places[0], places[1])
    return None if first is None else (first.node_a, first.node_b)
