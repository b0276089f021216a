"""All elements of an output are explained, each by the order it has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from soak import soak
from synthetic import Machine, orders_kernel, random_tree, tree_kernel

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.tree.notation import notation, parse

PAIRWISE, SEQUENTIAL = parse("(((0+1)+(2+3))+4)"), parse("((((0+1)+2)+3)+4)")


def test_outputs_in_whole_groups_are_pairwise_and_the_remainder_sequential() -> None:
    geometry = Geometry((1, 1, 9, 1), (1, 5, 1, 1))
    fn = orders_kernel(lambda p, c: PAIRWISE if p < 4 else SEQUENTIAL, geometry)
    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert found.status == "proved"
    assert [notation(o.order.tree) for o in found.orders] == [
        "(((0+1)+(2+3))+4)",
        "((((0+1)+2)+3)+4)",
    ]
    assert found.which().ravel().tolist() == [0, 0, 0, 0, 1]


def test_channels_that_differ_in_their_order_do_not_mix_their_readings() -> None:
    geometry = Geometry((1, 1, 12, 1), (1, 9, 1, 6))
    one, other = parse("[0..8]*"), parse("[<0..3> <4..7> 8]")
    fn = orders_kernel(lambda p, c: one if c < 4 else other, geometry)
    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert found.status == "proved"
    assert {o.order.tree for o in found.orders} == {one, other}
    assert (found.which()[:, :4] == found.which()[0, 0]).all()
    assert (found.which()[:, 4:] == found.which()[0, 5]).all()


def test_every_element_may_have_its_own_order() -> None:
    geometry = Geometry((1, 1, 8, 1), (1, 6, 1, 3))
    trees = {
        (p, c): random_tree(6, False, 10 * p + c, many=False, fuse=False)
        for p in range(3)
        for c in range(3)
    }
    fn = orders_kernel(lambda p, c: trees[p, c], geometry)
    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert found.status == "proved"
    which = found.which()
    for (p, c), tree in trees.items():
        assert found.orders[which[p, c]].order.tree == tree


@pytest.mark.slow
def test_orders_that_differ_in_two_leaves_are_not_confused() -> None:
    # Random numbers seldom tell these apart; the readings of each position do.
    geometry = Geometry((1, 1, 449, 1), (1, 400, 1, 4))
    one, other = parse("[0..399]*"), parse("[0 2* 1* 3..399*]")
    fn = orders_kernel(lambda p, c: other if 20 <= p < 30 else one, geometry)
    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert found.status == "proved"
    assert [(o.count, o.order.tree) for o in found.orders] == [(160, one), (40, other)]


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry((2, 9, 8, 4), (3, 2, 4, 5), True, strides=(2, 1)),
        Geometry((1, 9, 9, 4), (3, 3, 4, 6), dilations=(2, 3)),
        Geometry((2, 5, 5, 6), (2, 2, 3, 4), True, groups=2),
        Geometry((1, 6, 6, 5), (3, 3, 1, 10), groups=5),
    ],
    ids=["strides", "dilations", "groups", "depthwise"],
)
def test_strides_dilations_and_groups_are_replayed(geometry: Geometry) -> None:
    tree = random_tree(geometry.taps, geometry.bias, 5, many=False)
    kernel = CallableKernel(tree_kernel(tree, geometry), geometry)
    found = orders_of(kernel, random_data(geometry, 3))
    assert found.status == "proved"
    assert [o.order.tree for o in found.orders] == [tree]


CASES = st.tuples(st.integers(1, 40), st.booleans(), st.integers(0, 2**32))


@soak(500, database=None, suppress_health_check=list(HealthCheck))
@given(CASES, st.sampled_from(["float32", "float64", "float16", "bfloat16"]), st.booleans())
def test_replay_gives_the_bits_of_an_independent_evaluator(
    case: tuple[int, bool, int], dtype: str, native: bool
) -> None:
    taps, bias, seed = case
    accumulator = dtype if native or dtype == "float64" else "float32"
    if dtype == "float32" and not native:
        accumulator = "float64"
    many = accumulator == "float32"
    tree = random_tree(taps, bias, seed, many=many, fuse=dtype != "float64")
    geometry = Geometry((1, 1, 3, taps), (1, 1, taps, 5), bias, dtype=dtype)
    kernel = CallableKernel(tree_kernel(tree, geometry, Machine(accumulator)), geometry)
    found = orders_of(kernel, random_data(geometry, seed % 1000))
    assert found.status == "proved", found.refusals
    (only,) = found.orders
    assert only.order.tree.unfused() == tree.unfused()
    if dtype in ("float32", "float64") and accumulator == dtype:
        assert only.order.tree == tree


def test_a_bias_added_after_narrowing_is_told_from_one_added_before() -> None:
    geometry = Geometry((1, 1, 20, 1), (1, 9, 1, 8), True, dtype="float16")
    tree = parse("[0..8 b]")
    inner = tree_kernel(
        parse("[0..8]"), Geometry((1, 1, 20, 1), (1, 9, 1, 8), dtype="float16"), Machine("float32")
    )

    def later(x: Array, w: Array, b: Array | None) -> Array:
        assert b is not None
        return np.asarray(inner(x, w, None).astype(np.float16) + b.astype(np.float16))

    after = CallableKernel(later, geometry)
    before = CallableKernel(tree_kernel(tree, geometry, Machine("float32")), geometry)
    data = random_data(geometry, 3)
    (late,), (early,) = orders_of(before, data).orders, orders_of(after, data).orders
    assert late.order.tree == early.order.tree == tree
    assert (late.order.arithmetic.early, early.order.arithmetic.early) == (False, True)


def test_operands_narrowed_to_tf32_are_found_out() -> None:
    geometry = Geometry((1, 1, 20, 1), (1, 9, 1, 8))
    inner = tree_kernel(parse("[0..8]"), geometry)

    def cut(values: Array) -> Array:
        mantissa, exponent = np.frexp(values.astype(np.float64))
        return np.asarray(np.ldexp(np.rint(mantissa * 2**11) / 2**11, exponent), np.float32)

    def fn(x: Array, w: Array, b: Array | None) -> Array:
        return np.asarray(inner(cut(x), cut(w), b))

    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert found.status == "proved"
    assert found.orders[0].order.arithmetic.inputs == "tf32"


def test_a_sum_that_starts_from_zero_is_told_by_its_sign() -> None:
    geometry = Geometry((1, 1, 8, 1), (1, 4, 1, 2))
    plain = tree_kernel(parse("[0..3]"), geometry)

    def from_zero(x: Array, w: Array, b: Array | None) -> Array:
        return np.asarray(plain(x, w, b) + np.float32(0))

    starts = {True: from_zero, False: plain}
    for zero, fn in starts.items():
        found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
        assert found.status == "proved"
        assert found.orders[0].order.arithmetic.zero_start is zero


def test_the_budget_of_calls_is_kept_and_said() -> None:
    geometry = Geometry((1, 1, 70, 1), (1, 64, 1, 1))
    kernel = CallableKernel(tree_kernel(parse("[0..63]"), geometry), geometry)
    found = orders_of(kernel, random_data(geometry, 3), budget=30)
    assert kernel.calls <= 30
    assert found.calls == kernel.calls
    assert found.unexplained == 7
    assert found.refusals[0].kind == "budget"


def test_an_observation_that_the_kernel_does_not_repeat_is_unstable() -> None:
    geometry = Geometry((1, 1, 9, 1), (1, 5, 1, 1))
    kernel = CallableKernel(tree_kernel(PAIRWISE, geometry), geometry)
    data = random_data(geometry, 3)
    observed = kernel.run(data.input_nhwc, data.filter_hwio, None)
    observed[2] = np.nextafter(observed[2], np.float32(np.inf))
    found = orders_of(kernel, data, observed)
    assert [r.kind for r in found.refusals] == ["unstable"]
    assert "1 of 5" in found.refusals[0].reason
