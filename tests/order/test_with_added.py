"""A term that a step adds to a sum while it is made: its place in the tree, and its replay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Data, Order, replay
from convdiff.order.replay.step import JOINS, Step, likely_steps
from convdiff.order.tree.notation import parse
from convdiff.order.tree.with_added import with_added

F = np.float32
TREES = {
    "chain": "(((0+1)+2)+b)",
    "chain of fused products": "((((0+1*)+2*)+3*)+b)",
    "two blocks": "(((0+1)+(2+3))+b)",
    "no bias": "(((0+1)+2)+3)",
    "bias first": "(((b+0)+1)+2)",
}


def drawn(notation: str, seed: int) -> tuple[Order, Geometry, Data]:
    """Return an order with numbers of one channel, and what is added to each of three outputs."""
    order, rng = Order(parse(notation)), np.random.default_rng(seed)
    taps = order.tree.taps
    geometry = Geometry((1, 1, 3 * taps, 1), (1, taps, 1, 1), "b" in notation, (1, taps))
    x, w, b, added = (rng.normal(0, 1, n).astype(F) for n in (3 * taps, taps, 1, 3))
    bias = b if "b" in notation else None
    data = Data(x.reshape(1, 1, -1, 1), w.reshape(1, taps, 1, 1), bias, added[:, None])
    return order, geometry, data


def replayed(notation: str, seed: int, joins: str) -> tuple[np.ndarray, Data]:
    order, geometry, data = drawn(notation, seed)
    return replay(replace(order, step=Step("add", joins)), geometry, data)[:, 0], data


def products(data: Data) -> np.ndarray:
    """Return the rounded products, (outputs, taps)."""
    w = data.filter_hwio.ravel()
    return data.input_nhwc.reshape(3, -1) * w


@given(st.integers(0, 2**31))
def test_a_chain_takes_the_array_at_each_place(seed: int):
    for joins in JOINS:
        if joins in ("block", "first fused"):
            continue
        found, data = replayed(TREES["chain"], seed, joins)
        (p0, p1, p2), b, a = products(data).T, data.bias, data.added[:, 0]
        right = {
            "": (((p0 + p1) + p2) + b) + a,
            "sum": (((p0 + p1) + p2) + b) + a,
            "bias": (((p0 + p1) + p2) + a) + b,
            "first": (((p0 + a) + p1) + p2) + b,
        }[joins]
        assert np.array_equal(found, right), joins


@given(st.integers(0, 2**31))
def test_blocks_and_biases_keep_their_places(seed: int):
    found, data = replayed(TREES["two blocks"], seed, "block")
    (p0, p1, p2, p3), b, a = products(data).T, data.bias, data.added[:, 0]
    assert np.array_equal(found, (((p0 + p1) + a) + (p2 + p3)) + b)
    found, data = replayed(TREES["no bias"], seed, "first")
    (p0, p1, p2, p3), a = products(data).T, data.added[:, 0]
    assert np.array_equal(found, (((p0 + a) + p1) + p2) + p3)
    found, data = replayed(TREES["bias first"], seed, "first")
    (p0, p1, p2), b, a = products(data).T, data.bias, data.added[:, 0]
    assert np.array_equal(found, ((b + (p0 + a)) + p1) + p2)


@given(st.integers(0, 2**31))
def test_the_array_is_what_a_first_product_is_fused_onto(seed: int):
    found, data = replayed(TREES["chain"], seed, "first fused")
    (_, p1, p2), b, a = products(data).T, data.bias, data.added[:, 0]
    x, w = data.input_nhwc.reshape(3, -1)[:, 0], data.filter_hwio.ravel()[0]
    wide = x.astype(np.longdouble) * w + a.astype(np.longdouble)
    assert np.array_equal(found, ((wide.astype(F) + p1) + p2) + b)


@pytest.mark.parametrize("notation", TREES.values())
@pytest.mark.parametrize("joins", [joins for joins in JOINS if joins])
def test_a_tree_with_the_array_is_that_tree_without_it(notation: str, joins: str):
    tree = parse(notation)
    joined = with_added(tree, joins)
    places = {"bias": notation.endswith("+b)"), "block": notation == TREES["two blocks"]}
    assert (joined is not None) == places.get(joins, True)
    if joined is not None:
        assert joined.leaves == tree.leaves + 1
        assert joined.fused_taps() - {0} == tree.fused_taps() - {0}


def test_a_step_has_its_ways_the_usual_one_first():
    values = np.array([-1.5, -0.0, 0.0, 2.5, 7.0, np.nan, np.inf, -np.inf], F)
    usual, kept, _, limited, *_ = likely_steps("relu6")
    found = usual.of(values, None, "float32")
    assert np.array_equal(found, np.array([0, 0, 0, 2.5, 6, np.nan, 6, 0], F), equal_nan=True)
    assert not np.signbit(found).any()
    assert np.signbit(kept.of(values, None, "float32")).tolist()[:3] == [False, True, False]
    assert np.isnan(found[5]) and limited.of(values, None, "float32")[5] == 0
    half = Step("add").of(np.array([2048.0], F), np.array([1.0], F), "float16")
    assert half == 2048, "rounded to the case's own format"


def test_a_relu_that_multiplies_by_zero_makes_a_signed_zero_of_what_is_below():
    sums = np.array([[-2, -0.0, 0, 3, np.inf, -np.inf, np.nan]], F)
    with np.errstate(invalid="ignore"):
        scaled = np.where(sums > 0, sums, sums * F(0))
    ways = {step: step.of(sums, None, "float32") for step in likely_steps("relu")}
    same = [step for step, found in ways.items() if found.tobytes() == scaled.tobytes()]
    assert same == [Step("relu", zeros="signed")]
    assert same[0].words == "then relu, which makes -0 of what is below"
