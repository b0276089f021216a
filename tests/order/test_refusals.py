"""It does not lie: what is no fixed sum of products is never proved, and the reason fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from nontrees import (
    Convolution,
    dropped_tap,
    fourier,
    narrowed_sum,
    shuffled_each_call,
    stale_element,
    stale_memory,
    winograd,
)
from synthetic import Machine, tree_kernel

from convdiff.numerics.array import Array
from convdiff.order.element import _cross_check
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.reveal.reveal import reveal_tree
from convdiff.order.tree.notation import parse

SQUARE = Geometry((1, 6, 6, 3), (3, 3, 3, 4))
WITH_BIAS = Geometry((1, 6, 6, 3), (3, 3, 3, 4), bias=True)


def explained(make: Callable[[Geometry], Convolution], geometry: Geometry) -> Orders:
    kernel = CallableKernel(make(geometry), geometry)
    return orders_of(kernel, random_data(geometry, 77), budget=3000)


@pytest.mark.parametrize("geometry", [SQUARE, WITH_BIAS])
@pytest.mark.parametrize(
    "make", [lambda g: winograd(g, 2), lambda g: winograd(g, 4), fourier], ids=["F2", "F4", "FFT"]
)
def test_a_transform_is_refused_as_one(
    make: Callable[[Geometry], Convolution], geometry: Geometry
) -> None:
    found = explained(make, geometry)
    assert found.status == "unexplained"
    assert [refusal.kind for refusal in found.refusals] == ["transform"]


@pytest.mark.parametrize("make", [shuffled_each_call, stale_memory])
def test_a_kernel_that_changes_its_mind_is_unstable(
    make: Callable[[Geometry], Convolution],
) -> None:
    found = explained(make, SQUARE)
    assert found.status == "unexplained"
    assert [refusal.kind for refusal in found.refusals] == ["unstable"]


def test_an_element_that_is_not_always_written_is_never_proved() -> None:
    found = explained(stale_element, SQUARE)
    assert found.status != "proved"
    assert found.which()[-1, -1] == -1
    assert [refusal.kind for refusal in found.refusals] == ["unstable"]


@pytest.mark.parametrize("tap", [0, 13, 26])
def test_a_dropped_tap_is_no_order(tap: int) -> None:
    found = explained(lambda g: dropped_tap(g, tap), SQUARE)
    assert found.status == "unexplained"
    assert found.refusals[0].kind == "overflow"
    assert "a term is lost" in found.refusals[0].reason


def test_a_tap_dropped_at_one_position_leaves_that_one_unexplained() -> None:
    found = explained(lambda g: dropped_tap(g, 5, position=7), SQUARE)
    assert found.status == "partial"
    assert found.replayed == (60, 64)
    assert (found.which()[7] == -1).all()


def test_sums_narrowed_half_way_are_read_but_not_replayed() -> None:
    geometry = Geometry((1, 1, 1, 16), (1, 1, 16, 4))
    found = explained(lambda g: narrowed_sum(g, 5), geometry)
    assert found.status == "unexplained"


def test_sums_narrowed_after_a_share_of_the_taps_are_replayed() -> None:
    geometry = Geometry((1, 1, 1, 16), (1, 1, 16, 4))
    found = explained(narrowed_sum, geometry)
    assert found.status == "proved"
    expected = Arithmetic(total="float16", every=4, zero_start=True)
    assert found.orders[0].order.arithmetic == expected


def test_a_kernel_of_another_shape_is_an_error_that_names_both() -> None:
    kernel = CallableKernel(lambda x, w, b: np.zeros((1, 2, 2, 4), np.float32), SQUARE)
    with pytest.raises(ValueError, match=r"returned shape \(1, 2, 2, 4\), expected \(1, 4, 4, 4\)"):
        orders_of(kernel, random_data(SQUARE, 1))


def pairs_apart_from_zero(geometry: Geometry) -> Convolution:
    """Return a sum in order, but backwards wherever the first weight is an ordinary one."""

    def convolution(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        weights = w.reshape(geometry.taps, geometry.cout)
        products = geometry.windows(x, np.arange(geometry.positions)) * weights[:, None]
        forward, backward = products[0], products[-1]
        for k in range(1, geometry.taps):
            forward = forward + products[k]
            backward = backward + products[-1 - k]
        ordinary = np.abs(weights[0]) < 100
        return np.asarray(np.where(ordinary, backward, forward).reshape(geometry.output_nhwc))

    return convolution


def test_readings_that_no_tree_has_together_are_found_by_pairs_not_needed_for_it() -> None:
    geometry = Geometry((1, 1, 12, 1), (1, 9, 1, 8))
    kernel = CallableKernel(pairs_apart_from_zero(geometry), geometry)
    with pytest.raises(RefusedError) as caught:
        _cross_check(kernel, Site.at(kernel, 0, 0), reveal_tree(kernel, Site.at(kernel, 0, 0)))
    assert caught.value.refusal.kind == "non-ultrametric"
    assert orders_of(kernel, random_data(geometry, 77)).status != "proved"


def test_a_reading_that_does_not_repeat_is_unstable() -> None:
    geometry = Geometry((1, 1, 12, 1), (1, 9, 1, 8))
    chain, blocks = (tree_kernel(parse(t), geometry) for t in ("[0..8]", "[[0..3] [4..8]]"))
    steady = CallableKernel(chain, geometry)
    tree = reveal_tree(steady, Site.at(steady, 0, 0))
    state = {"calls": 0}

    def alternating(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        state["calls"] += 1
        return np.asarray((chain if state["calls"] % 2 else blocks)(x, w, b))

    kernel = CallableKernel(alternating, geometry)
    with pytest.raises(RefusedError, match="same probe read two different") as caught:
        _cross_check(kernel, Site.at(kernel, 0, 0), tree)
    assert caught.value.refusal.kind == "unstable"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(np.nan, "overflow"), (2.0**100, "overflow"), (3.5, "non-integer"), (-1.0, "non-integer")],
)
def test_a_reading_is_checked_before_it_is_used(answer: float, kind: str) -> None:
    geometry = Geometry((1, 1, 1, 9), (1, 1, 9, 4))
    kernel = CallableKernel(
        lambda x, w, b: np.full(geometry.output_nhwc, answer, np.float32), geometry
    )
    with pytest.raises(RefusedError) as caught:
        reveal_tree(kernel, Site.at(kernel, 0, 0))
    assert caught.value.refusal.kind == kind


def test_a_kernel_that_flushes_subnormal_numbers_is_said_to() -> None:
    geometry = Geometry((1, 1, 30, 1), (1, 9, 1, 8), dtype="float16")
    chain = tree_kernel(parse("[0..8]"), geometry, Machine("float32"))

    def flushing(x: Array, w: Array, b: Array | None) -> Array:
        return np.asarray(chain(x, np.where(np.abs(w) < 2.0**-14, 0, w).astype(w.dtype), b))

    found = orders_of(CallableKernel(flushing, geometry), random_data(geometry, 77))
    assert found.status == "unexplained"
    assert "flushes subnormal float16 numbers" in found.refusals[0].reason


def test_a_missing_term_is_no_flushed_number() -> None:
    geometry = Geometry((1, 1, 30, 1), (1, 9, 1, 8), dtype="float16")
    shorter = tree_kernel(parse("[0..8]"), geometry, Machine("float32"))

    def dropping(x: Array, w: Array, b: Array | None) -> Array:
        kept = w.copy()
        kept[:, 4] = 0
        return np.asarray(shorter(x, kept, b))

    found = orders_of(CallableKernel(dropping, geometry), random_data(geometry, 77))
    assert found.status == "unexplained"
    assert "flushes" not in found.refusals[0].reason
    assert "1 of them are missing" in found.refusals[0].reason


def for_large_inputs(change: Callable[[Array], None]) -> Convolution:
    """Return a float32 sum narrowed half way, whose output is changed where inputs are large."""
    geometry = Geometry((1, 1, 12, 16), (1, 5, 16, 4))
    narrowed = narrowed_sum(geometry, 7)  # of 80 taps: no kernel known does it

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        y = narrowed(x, w, b)
        if np.abs(x).max() > 1e5:
            change(y)
        return y

    return convolution


def first_nan(y: Array) -> None:
    y[0, 0, :2] = np.nan


def one_more(y: Array) -> None:
    y[0, 0, 0] += 1


def another_input(y: Array) -> None:
    y[0, 0] += 2.0**20


@pytest.mark.parametrize("change", [first_nan, one_more, another_input])
def test_what_large_inputs_break_is_no_transform(change: Callable[[Array], None]) -> None:
    found = explained(lambda g: for_large_inputs(change), Geometry((1, 1, 12, 16), (1, 5, 16, 4)))
    assert found.status == "unexplained"
    assert "transform" not in {refusal.kind for refusal in found.refusals}


def test_nan_that_is_always_there_is_no_transform() -> None:
    def broken(g: Geometry) -> Convolution:
        return lambda x, w, b: np.full(g.output_nhwc, np.nan, np.float32)

    found = explained(broken, SQUARE)
    assert {refusal.kind for refusal in found.refusals} == {"overflow"}


def test_a_transform_with_a_nan_in_it_is_one_still() -> None:
    def broken(g: Geometry) -> Convolution:
        transformed = winograd(g, 2)

        def convolution(x: Array, w: Array, b: Array | None) -> Array:
            y = transformed(x, w, b)
            y[0, 0, 0, 0] = np.nan
            return y

        return convolution

    found = explained(broken, SQUARE)
    assert [refusal.kind for refusal in found.refusals] == ["transform"]


def test_a_function_may_change_its_inputs() -> None:
    plain = tree_kernel(parse("[0..26]"), SQUARE)

    def changing(x: Array, w: Array, b: Array | None) -> Array:
        y = plain(x, w, b)
        x *= 0
        w *= 0
        return np.asarray(y)

    data = random_data(SQUARE, 77)
    before = data.input_nhwc.copy(), data.filter_hwio.copy()
    found = orders_of(CallableKernel(changing, SQUARE), data)
    assert found.status == "proved"
    assert (data.input_nhwc == before[0]).all()
    assert (data.filter_hwio == before[1]).all()
