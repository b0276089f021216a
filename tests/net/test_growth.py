"""How large a difference is in one activation, and what its layer makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from convdiff.net.trace.growth import JUMPS, growth, winners
from convdiff.worker.ops.net import Layer

POOL = {"size": (1, 3), "strides": (1, 2), "padding": "valid", "dilations": (), "ceil_mode": False}


def layer(op: str, **settings) -> Layer:
    return Layer(op, op, ("input",), settings, {})


def test_the_size_is_that_of_the_whole_in_roundings():
    a = np.array([3, 4], np.float32).reshape(1, 1, 2, 1)
    b = a + np.array([0, 2.0**-19], np.float32).reshape(1, 1, 2, 1)
    found = growth(a, b, strict=False)
    assert found.difference.differing == 1
    assert found.relative == pytest.approx(2.0**-19 / 5 / 2.0**-24)


def test_equal_activations_have_no_size():
    a = np.ones((1, 1, 2, 1), np.float32)
    assert growth(a, a.copy(), strict=False).relative == 0


def test_minus_zero_is_told_from_zero_only_if_asked():
    a = np.zeros((1, 1, 2, 1), np.float32)
    assert growth(a, -a, strict=False).difference.differing == 0
    assert growth(a, -a, strict=True).difference.differing == 2


def test_relu_clips_some_on_one_side_only():
    a = np.array([0, 0, 1, 2], np.float32).reshape(1, 1, 4, 1)
    b = np.array([0, 1, 1, 0], np.float32).reshape(1, 1, 4, 1)
    assert JUMPS["relu"].count(layer("relu"), (a, b), (a, b)) == 2
    clip = layer("clip", low=0.0, high=2.0)
    assert JUMPS["clip"].count(clip, (a, b), (a, b)) == 2


@pytest.mark.parametrize("padding", ["valid", "same", ((0, 0), (1, 2))])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_winner_of_a_window_is_its_first_maximum(padding, dilation):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 5, (2, 3, 11, 4)).astype(np.float32)
    pool = layer("max_pool", **{**POOL, "padding": padding, "dilations": (1, dilation)})
    found = winners(pool, x)
    axis = pool.axes[-1]
    for n, row, column, channel in np.ndindex(found.shape):
        sources = axis.sources(11)[column]
        values = [x[n, row, at, channel] if at >= 0 else -np.inf for at in sources]
        assert found[n, row, column, channel] == int(np.argmax(values))


def test_a_max_pool_whose_inputs_change_places_jumps():
    a = np.array([1, 2, 0], np.float32).reshape(1, 1, 3, 1)
    b = np.array([2, 1, 0], np.float32).reshape(1, 1, 3, 1)
    pool = layer("max_pool", **POOL)
    top = np.full((1, 1, 1, 1), 2, np.float32)
    assert JUMPS["max_pool"].count(pool, (a, b), (top, top)) == 1
    assert JUMPS["max_pool"].count(pool, (a, a), (top, top)) == 0


@pytest.mark.filterwarnings("error")
def test_what_is_infinite_on_both_sides_is_of_no_size_and_no_warning():
    a = np.array([np.inf, 2, np.nan], np.float32).reshape(1, 1, 3, 1)
    b = np.array([np.inf, 2 + 2.0**-19, np.inf], np.float32).reshape(1, 1, 3, 1)
    assert growth(a, b, strict=False).relative == pytest.approx(2.0**-20 / 2.0**-24)
