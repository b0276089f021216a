"""Replays are small in memory, chunked without seams, and refuse what does not fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from soak import soak
from synthetic import Machine, random_tree, summed

from convdiff.order.geometry import Geometry
from convdiff.order.replay import tiles
from convdiff.order.replay.replay import Data, Order, partial_sums, replay
from convdiff.order.replay.schedule import JOIN, MANY, PUSH, compile_order
from convdiff.order.replay.verification import random_data
from convdiff.order.tree.notation import parse


@soak(1000, database=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 300), st.booleans(), st.integers(0, 2**32))
def test_few_partial_sums_are_alive_at_once(taps: int, bias: bool, seed: int) -> None:
    tree = random_tree(taps, bias, seed, many=False)
    depth = deepest = 0
    for operation, operand, _ in compile_order(tree).steps:
        depth += {PUSH: 1, JOIN: -1, MANY: 1 - operand}.get(operation, 0)
        deepest = max(deepest, depth)
    assert depth == 1
    assert deepest <= 1 + math.log2(tree.leaves)


@pytest.mark.parametrize(("side", "groups"), [((2, 8), 1), ((2, 8), 2), ((30, 30), 1)])
@pytest.mark.parametrize("size", [(7, 7), (3, 4)])
def test_tiles_leave_no_seams(
    monkeypatch: pytest.MonkeyPatch, side: tuple[int, int], groups: int, size: tuple[int, int]
) -> None:
    geometry = Geometry((2, *size, 4), (3, 3, 4 // groups, 6), True, groups=groups)
    tree = random_tree(geometry.taps, True, 9, many=False)
    data, order = random_data(geometry, 1), Order(tree)
    whole = replay(order, geometry, data)
    monkeypatch.setattr(tiles, "TILE", 30)
    monkeypatch.setattr(tiles, "_SIDE", side)
    np.testing.assert_array_equal(replay(order, geometry, data), whole)
    rows, lanes = np.array([geometry.positions - 1, 3, 1]), np.array([5, 0])
    np.testing.assert_array_equal(
        replay(order, geometry, data, rows, lanes), whole[np.ix_(rows, lanes)]
    )
    last = len(rows) - 1, len(lanes) - 1
    for row, lane in (last, (0, 0)):
        sums = partial_sums(order, geometry, data, rows[row], lanes[lane])
        assert sums[tree.root] == whole[rows[row], lanes[lane]]


@given(st.integers(0, 9_000), st.integers(0, 9_000), st.integers(1, 40_000), st.booleans())
def test_tasks_cover_every_element_once(
    positions: int, channels: int, values: int, by_channel: bool
) -> None:
    cut = tiles.tasks(positions, channels, values, by_channel=by_channel)
    area = 0
    corners = set()
    for task in cut:
        height = task.positions.stop - task.positions.start
        assert height * values <= max(values, 16_000_000)
        for tile in task.channels:
            width = tile.stop - tile.start
            assert 0 < height * width <= tiles.TILE
            area += height * width
            corners.add((task.positions.start, tile.start))
    assert area == positions * channels
    assert len(corners) == sum(len(task.channels) for task in cut)


def test_replay_of_blocks_equals_a_loop_in_plain_numpy() -> None:
    geometry = Geometry((1, 1, 1, 24), (1, 1, 24, 3), True)
    data = random_data(geometry, 1)
    x, w = data.input_nhwc.ravel(), data.filter_hwio.reshape(24, 3)
    total = np.zeros(3, np.float32)
    for block in range(3):
        part = x[8 * block] * w[8 * block]
        for tap in range(8 * block + 1, 8 * block + 8):
            part = part + x[tap] * w[tap]
        total = part if block == 0 else total + part
    assert data.bias is not None
    expected = total + data.bias
    found = replay(Order(parse("[([0..7])^3+8 b]")), geometry, data)
    np.testing.assert_array_equal(found[0], expected)


def test_partial_sums_are_those_of_every_node() -> None:
    geometry = Geometry((1, 1, 9, 1), (1, 5, 1, 2))
    data, tree = random_data(geometry, 1), parse("(((0+1)+(2+3))+4*)")
    sums = partial_sums(Order(tree), geometry, data, 2, 1)
    x, w = data.input_nhwc.ravel()[2:7], data.filter_hwio.reshape(5, 2)[:, 1]
    p = x * w
    assert [sums[k] for k in (5, 6, 7)] == [p[0] + p[1], p[2] + p[3], (p[0] + p[1]) + (p[2] + p[3])]
    last = summed(tree, Machine("float32"), x[:, None], w[:, None], None)
    assert sums[8] == last[0]


def test_infinities_and_nans_are_replayed_without_a_warning() -> None:
    geometry = Geometry((1, 1, 3, 1), (1, 2, 1, 1))
    data = Data(
        np.array([3e38, 3e38, np.nan], np.float32).reshape(1, 1, 3, 1),
        np.array([2.0, -2.0], np.float32).reshape(1, 2, 1, 1),
        None,
    )
    with np.errstate(all="raise"):
        found = replay(Order(parse("(0+1)")), geometry, data)
    assert np.isnan(found).all()


def test_an_order_of_other_terms_is_refused() -> None:
    geometry = Geometry((1, 1, 9, 1), (1, 5, 1, 1), True)
    with pytest.raises(ValueError, match="an order of 5 leaves for 6"):
        replay(Order(parse("[0..4]")), geometry, random_data(geometry, 1))
