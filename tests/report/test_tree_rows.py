"""An order as rows: a chain on one level, what is added to it below, in the order of adding."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from convdiff.explaining.model import Element, ElementReport
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.replay import Data, Order, leaf_values, partial_sums
from convdiff.order.tree.notation import parse
from convdiff.report.tree_rows import DRAWN, WHOLE, Drawing, drawing_of


def report_of(notation: str, parts: int = -1) -> ElementReport:
    """Return what is known of an element whose products are 1, 2, 3 …, and its bias 0.5."""
    tree = parse(notation)
    shape = (1, 1, tree.taps, 1)
    geometry = Geometry(shape, (1, tree.taps, 1, 1), bias=tree.has_bias)
    x = np.arange(1, tree.taps + 1, dtype=np.float32).reshape(shape)
    bias = np.float32([0.5]) if tree.has_bias else None
    data = Data(x, np.ones((1, tree.taps, 1, 1), np.float32), bias)
    order = Order(tree)
    every = np.ones((1, 1), bool)
    orders = Orders(geometry, data, np.zeros((1, 1)), (ProvedOrder(order, every),), (), 0)
    place = (order, geometry, data, 0, 0)
    values = {**leaf_values(*place), **partial_sums(*place)}
    element = Element((0, 0, 0, 0), "", 0, values, parts)
    nobody = cast(Any, None)
    return ElementReport(nobody, nobody, nobody, orders, None, element)


def drawn(notation: str, depth: int | None = None, parts: int = -1) -> Drawing:
    drawing = drawing_of(report_of(notation, parts), depth)
    assert drawing is not None
    return drawing


def lines(drawing: Drawing) -> list[str]:
    said = []
    for row in drawing.rows:
        total = "" if row.total is None else f" -> {row.total:g}"
        said.append(f"{row.guides}{row.label}{'*' * row.fused} {row.value:g}{total}")
    return said


@pytest.mark.parametrize(
    ("notation", "rows"),
    [
        ("((0+1)+b)", ["├ 0 (0,0,0) 1", "├ 1 (0,1,0) 2 -> 3", "└ bias 0.5 -> 3.5"]),
        ("((0+b)+1*)", ["├ 0 (0,0,0) 1", "├ bias 0.5 -> 1.5", "└ 1 (0,1,0)* 2 -> 3.5"]),
        ("(0+(1+2))", ["├ 1 (0,1,0) 2", "├ 2 (0,2,0) 3 -> 5", "└ 0 (0,0,0) 1 -> 6"]),
        (
            "((0+1)+(2+3))",
            [
                "├ + 2 terms 3",
                "│ ├ 0 (0,0,0) 1",
                "│ └ 1 (0,1,0) 2 -> 3",
                "└ + 2 terms 7 -> 10",
                "  ├ 2 (0,2,0) 3",
                "  └ 3 (0,3,0) 4 -> 7",
            ],
        ),
        ("{0 1 2}", ["├ 0 (0,0,0) 1", "├ 1 (0,1,0) 2", "└ 2 (0,2,0) 3 -> 6"]),
    ],
)
def test_terms_stand_in_the_order_in_which_they_are_added(notation: str, rows: list[str]):
    assert lines(drawn(notation, WHOLE)) == rows


def test_many_terms_at_once_are_said_to_be():
    assert drawn("{0 1 2}").at_once
    assert not drawn("((0+1)+2)").at_once


def test_what_fits_is_drawn_whole():
    drawing = drawn(f"[0..{DRAWN - 1}]")
    assert (len(drawing.rows), drawing.hidden) == (DRAWN, 0)


@pytest.mark.parametrize(
    "notation", ["[0..2303 b]", "[([0..287])^8+288 b]", "<0..2047>", "<|0..2047|>", "{0..2303}"]
)
def test_of_a_large_order_a_screenful_is_drawn_and_all_on_demand(notation: str):
    part, whole = drawn(notation), drawn(notation, WHOLE)
    many_at_once = "{" in notation
    assert many_at_once or len(part.rows) <= 2 * DRAWN
    assert len([row for row in whole.rows if not row.label.startswith("+")]) == whole.terms
    assert whole.hidden == 0
    assert many_at_once or part.hidden > whole.terms - DRAWN


def test_a_depth_counts_sums_from_the_result_down():
    assert lines(drawn("[0..4]", 2)) == [
        "├ … 3 terms 6",
        "├ 3 (0,3,0) 4 -> 10",
        "└ 4 (0,4,0) 5 -> 15",
    ]
    assert drawn("[0..4]", 2).hidden == 3


def test_the_sum_that_differs_is_marked_or_what_hides_it():
    shown = drawn("[0..4]", WHOLE, parts=6)  # 5 is 0+1, 6 that and 2
    assert [row.label[0] for row in shown.rows if row.total_parts] == ["2"]
    assert not shown.hides_parts
    hidden = drawn("[0..4]", 2, parts=5)
    assert [row.label for row in hidden.rows if row.parts] == ["… 3 terms"]
    assert hidden.hides_parts


def test_a_product_that_is_not_rounded_is_given_unrounded():
    c = np.float32(1 + 2**-12)
    factors = np.full((1, 1, 2, 1), c), np.full((1, 2, 1, 1), c)
    geometry = Geometry((1, 1, 2, 1), (1, 2, 1, 1))
    values = leaf_values(Order(parse("(0+1*)")), geometry, Data(*factors, None), 0, 0)
    assert values == {0: float(c * c), 1: float(c) ** 2}
    assert values[0] != values[1]
