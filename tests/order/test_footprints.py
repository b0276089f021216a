"""Orders of padded and transposed convolutions: those of each border and phase by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from mutants import some_mutants
from soak import one_in, soak
from synthetic import footprints_kernel, random_tree, tree_kernel

from convdiff.numerics.array import Array
from convdiff.order.attribute import attribute
from convdiff.order.footprint import footprints
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.replay import Data
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.tree.induced import induced
from convdiff.order.tree.notation import parse
from convdiff.order.tree.tree import Tree
from convdiff.worker.ops.convolution import Convolution

ONES = (1, 1, 1)
CONVOLUTIONS = {
    "same": ((1, 6, 7, 4), Convolution((3, 3), 4, 4, padding="same")),
    "even filter": ((1, 4, 9, 3), Convolution((2, 4), 3, 5, padding="same_lower")),
    "stride": ((2, 6, 8, 3), Convolution((3, 3), 3, 4, (2, 2), padding="same")),
    "dilation": ((1, 5, 9, 2), Convolution((3, 3), 2, 3, dilations=(1, 3), padding="same")),
    "groups": ((1, 5, 6, 6), Convolution((3, 3), 6, 4, groups=2, padding="same")),
    "depthwise": ((1, 5, 6, 3), Convolution((3, 3), 3, 3, groups=3, padding="same")),
    "wide pads": ((1, 3, 4, 2), Convolution((2, 3), 2, 3, padding=((3, 0), (4, 5)))),
    "cut": ((1, 5, 8, 2), Convolution((2, 3), 2, 3, padding=((0, 1), (-1, 2)))),
    "one output": ((1, 1, 1, 3), Convolution((3, 3), 3, 2, padding="same")),
    "causal": ((1, 1, 12, 3), Convolution((1, 4), 3, 4, padding="causal", op="conv1d")),
    "3-D": (
        (1, 6, 3, 2),
        Convolution((2, 2, 3), 2, 3, ONES, ONES, 1, "float32", "conv3d", "same", (0, 0, 0), 2),
    ),
    "transposed": ((1, 2, 4, 3), Convolution((2, 3), 3, 4, (2, 2), op="conv2d_transpose")),
    "transposed, dilated": (
        (1, 3, 4, 4),
        Convolution(
            (3, 3), 4, 2, (2, 3), (1, 2), 2, "float32", "conv2d_transpose", ((1, 1),) * 2, (1, 0)
        ),
    ),
    "transposed, with gaps": (
        (1, 1, 4, 5),
        Convolution((1, 2), 5, 3, (1, 3), op="conv1d_transpose"),
    ),
}
Function = Callable[[Array, Array, "Array | None"], Array]


def geometry_of(name: str, *, bias: bool = False, dtype: str = "float32") -> Geometry:
    shape, conv = CONVOLUTIONS[name]
    conv = conv._replace(dtype=dtype)
    return Geometry(shape, conv.filter_shape, bias, groups=conv.groups, dtype=dtype, asked=conv)


def explained(fn: Function, geometry: Geometry, data: Data | None = None) -> Orders:
    return orders_of(CallableKernel(fn, geometry), data or random_data(geometry, 3))


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_an_output_sees_the_taps_of_its_footprint_and_no_others(name: str) -> None:
    geometry = geometry_of(name)
    positions = np.arange(geometry.positions)
    ones = np.ones(geometry.input_nhwc, np.float32)
    inside = geometry.windows(ones, positions).any(axis=2)
    seen = np.zeros(inside.shape, int)
    for footprint, among in footprints(geometry.conv, geometry.input_nhwc):
        part = geometry.seeing(footprint)
        assert (part.windows(ones, positions[among]) == 1).all()
        seen[np.ix_(geometry.leaves_of(part), among)] += 1
        assert [geometry.name(leaf) for leaf in geometry.leaves_of(part)] == [
            part.name(leaf) for leaf in range(part.leaves)
        ]
    assert (seen == inside).all()


@pytest.mark.slow
@one_in(2, "bias", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_border_and_phase_has_the_order_that_its_own_taps_are_added_in(
    name: str, bias: bool
) -> None:
    dtype = "float64" if name in ("cut", "dilation") else "float32"
    geometry = geometry_of(name, bias=bias, dtype=dtype)
    trees: dict[object, Tree] = {}

    def choose(part: Geometry) -> Tree:
        fuse = dtype == "float32"
        tree = random_tree(part.taps, bias, len(trees), many=False, fuse=fuse)
        return trees.setdefault(part.footprint, tree)

    orders = explained(footprints_kernel(choose, geometry), geometry)
    assert orders.status == "proved", orders.refusals
    assert orders.confirmed
    assert {one.footprint: one.order.tree for one in orders.orders} == trees
    assert len(orders.orders) == len(trees)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_kernel_that_adds_padding_too_has_what_is_left_of_its_order(name: str) -> None:
    geometry = geometry_of(name, bias=True)
    tree = random_tree(geometry.taps, True, 8, many=False)
    orders = explained(tree_kernel(tree, geometry), geometry)
    assert orders.status == "proved", orders.refusals
    for one in orders.orders:
        leaves = geometry.leaves_of(orders.geometry_of(one))
        assert one.order.tree == induced(tree, leaves)
    if any(one.footprint is None for one in orders.orders):
        assert len(orders.alike) == 1


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    rank, transposed = draw(st.integers(1, 3)), draw(st.booleans())
    axes = max(rank, 2)

    def each(low: int, high: int) -> tuple[int, ...]:
        drawn = draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))
        return (*[1] * (axes - rank), *drawn)

    pads = each(0, 3), each(0, 3)
    padding = tuple(zip(*([0] * (axes - rank) + list(p[axes - rank :]) for p in pads), strict=True))
    strides, groups = each(1, 3), draw(st.integers(1, 2))
    conv = Convolution(
        kernel=each(1, 3),
        channels_in=groups,
        channels_out=groups * draw(st.integers(1, 2)),
        strides=strides,
        dilations=each(1, 2),
        groups=groups,
        op=f"conv{rank}d{'_transpose' * transposed}",
        padding=draw(st.sampled_from(["same", "same_lower", padding])),
        output_padding=(0,) * axes,
        depth=draw(st.integers(1, 3)) if rank > 2 else 1,
    )
    height = 1 if rank == 1 else draw(st.integers(1, 4))
    shape = draw(st.integers(1, 2)), conv.depth * height, draw(st.integers(1, 6)), groups
    assume(min(conv.outputs(*shape[1:3])) > 0)
    return Geometry(shape, conv.filter_shape, draw(st.booleans()), groups=groups, asked=conv)


@soak(300, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(geometries(), st.integers(0, 2**16))
def test_all_elements_of_any_geometry_are_replayed(geometry: Geometry, seed: int) -> None:
    tree = random_tree(geometry.taps, geometry.bias, seed, many=False)
    orders = explained(tree_kernel(tree, geometry), geometry)
    assert orders.status == "proved", orders.refusals
    for one in orders.orders:
        part = orders.geometry_of(one)
        assert one.order.tree == induced(tree, geometry.leaves_of(part))
        assert orders.where(one) or orders.is_uniform


@pytest.mark.slow
def test_what_is_left_of_an_order_is_verified_and_not_assumed() -> None:
    geometry = geometry_of("same", bias=True)
    tree = random_tree(geometry.taps, True, 2, many=False)
    mutants: dict[object, Tree] = {}

    def choose(part: Geometry) -> Tree:
        left = induced(tree, geometry.leaves_of(part))
        other = next(some_mutants(left, 2, 3)) if part.footprint else left
        return mutants.setdefault(part.footprint, other)

    orders = explained(footprints_kernel(choose, geometry), geometry)
    assert orders.status == "proved"
    assert {one.footprint: one.order.tree for one in orders.orders} == mutants
    assert len(orders.alike) > 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_borders_of_narrow_types_are_read_one_by_one(dtype: str) -> None:
    geometry = geometry_of("depthwise", bias=True, dtype=dtype)
    tree = random_tree(geometry.taps, True, 4, many=False, fuse=False)
    orders = explained(tree_kernel(tree, geometry), geometry)
    assert orders.status == "proved", orders.refusals
    assert {one.order.tree.taps for one in orders.orders} == {9, 6, 4}


@pytest.mark.parametrize("adds_padding", [False, True])
def test_the_sign_of_a_zero_at_a_border_is_that_of_what_is_added(adds_padding: bool) -> None:
    geometry = geometry_of("depthwise")
    data = random_data(geometry, 3)
    weights = -np.abs(data.filter_hwio)
    weights[0, 0, 0, 1] *= -1  # on padding at the top left: of one channel a zero turns positive
    data = Data(np.zeros_like(data.input_nhwc), weights, None)
    tree = parse("[0..8]")
    fn: Function = tree_kernel(tree, geometry)
    if not adds_padding:
        fn = footprints_kernel(lambda part: induced(tree, geometry.leaves_of(part)), geometry)
    orders = explained(fn, geometry, data)
    assert orders.status == "proved", orders.refusals
    signs = np.signbit(orders.output).reshape(geometry.output_nhwc)
    assert signs[0, 0, 0].tolist() == [True, not adds_padding, True]


@pytest.mark.parametrize("wrong", [False, True])
def test_outputs_on_padding_alone_are_the_bias(wrong: bool) -> None:
    geometry = geometry_of("wide pads", bias=True)
    inner = tree_kernel(parse("[0..11 b]"), geometry)

    def fn(x: Array, w: Array, b: Array | None) -> Array:
        output: Array = inner(x, w, b)
        output[0, 0, 0] += wrong
        return output

    orders = explained(fn, geometry)
    alone = geometry.positions * geometry.cout - sum(one.count for one in orders.orders)
    assert alone == 37 * 3
    assert orders.alone == alone - 3 * wrong
    assert orders.status == ("partial" if wrong else "proved")
    said = [refusal.reason for refusal in orders.refusals]
    assert said == ["3 elements that see padding alone are not the bias"] * wrong


def test_a_difference_at_a_border_is_put_down_to_the_orders_there() -> None:
    geometry = geometry_of("same")
    chain = parse("[0..35]")

    def choose(part: Geometry) -> Tree:
        left = induced(chain, geometry.leaves_of(part))
        return parse("<0..15>") if part.taps == 16 else left

    one = explained(tree_kernel(chain, geometry), geometry)
    other = explained(footprints_kernel(choose, geometry), geometry)
    pairs = np.flatnonzero(one.output != other.output)
    assert len(pairs)
    found = attribute(one, other, pairs, pairs)
    assert found.counts == {"order": len(pairs)}
    shifted = [one.footprint for one in other.orders]
    shifted[-4:] = shifted[-1:] + shifted[-4:-1]  # each corner's is another corner's
    moved = [replace(o, footprint=f) for o, f in zip(other.orders, shifted, strict=True)]
    unlike = attribute(one, replace(other, orders=tuple(moved)), pairs, pairs)
    assert unlike.unproven == len(pairs)


def test_places_are_named_and_counted() -> None:
    conv = Convolution((3, 3), 1, 1, padding="same")
    geometry = Geometry((1, 4, 34, 1), conv.filter_shape, asked=conv)
    orders = explained(tree_kernel(parse("[0..8]"), geometry), geometry)
    assert orders.places(orders.orders) == (
        "64 inside",
        "32 at the top edge, 3 taps fewer",
        "2 at the left edge, 3 taps fewer",
        "2 at the right edge, 3 taps fewer",
        "32 at the bottom edge, 3 taps fewer",
        "4 in the corners, 5 taps fewer",
    )
    assert orders.where(orders.orders[-1]) == "in the bottom right corner, 5 taps fewer"


def test_phases_are_named_and_counted() -> None:
    conv = Convolution((1, 4), 1, 1, (1, 2), op="conv1d_transpose")
    geometry = Geometry((1, 1, 5, 1), conv.filter_shape, asked=conv)
    orders = explained(tree_kernel(parse("[0..3]"), geometry), geometry)
    assert orders.places(orders.orders) == (
        "4 in phase 0: 2 taps",
        "4 in phase 1: 2 taps",
        "2 at the left edge, 1 tap fewer",
        "2 at the right edge, 1 tap fewer",
    )
    assert [orders.where(one) for one in orders.orders[-2:]] == [
        "in phase 0 at the right edge, 1 tap fewer",
        "in phase 1 at the right edge, 1 tap fewer",
    ]


def test_a_convolution_without_padding_has_no_places() -> None:
    geometry = Geometry((1, 1, 9, 1), (1, 5, 1, 1))
    orders = explained(tree_kernel(parse("[0..4]"), geometry), geometry)
    assert orders.places(orders.orders) == ()
    assert orders.where(orders.orders[0]) == ""
