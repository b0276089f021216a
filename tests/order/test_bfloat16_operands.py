"""Orders of kernels that narrow their operands to bfloat16 are verified by overflow: in few calls.

Every channel answers for itself: what adds in another order is told apart, at borders too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from kernels import products

import convdiff
from convdiff.case.arrays import Tensors
from convdiff.order.orders import Orders
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
SAME = Convolution((3, 3), 6, 8, padding="same")
FORWARD, BACKWARD = range(SAME.taps), range(SAME.taps)[::-1]


def kept(values: Array) -> Array:
    return values.astype(ml_dtypes.bfloat16).astype(np.float32)


def explained(
    orders: Sequence[Sequence[int]], before_bias: bool = False, bias: bool = True, seed: int = 0
) -> Orders:
    """Explain a kernel of bfloat16 operands whose channels add in these orders, in turns."""

    def fn(x: Array, w: Array, b: Array | None) -> Array:
        terms = products(SAME, Tensors(kept(w), None, kept(x)), np.float32)
        y = np.zeros((*terms.shape[:3], SAME.channels_out), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for number, order in enumerate(orders):
                some = slice(number, None, len(orders))
                for tap in order:
                    y[..., some] = y[..., some] + terms[..., tap, some]
            y = kept(y) if before_bias else y
            return y if b is None else y + b

    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, 5, 6, 6)).astype(np.float32)
    w = rng.standard_normal((3, 3, 6, 8)).astype(np.float32)
    b = rng.standard_normal(8).astype(np.float32) if bias else None
    return convdiff.explain(fn, x, w, b, padding="same")


@pytest.mark.parametrize(("before_bias", "bias"), [(False, True), (True, True), (False, False)])
def test_one_order_with_borders_takes_hundreds_of_calls_at_most(before_bias: bool, bias: bool):
    found = explained([FORWARD], before_bias, bias)
    assert (found.status, found.confirmed, len(found.orders)) == ("proved", True, 9)
    assert {one.order.arithmetic.inputs for one in found.orders} == {"bfloat16"}
    assert {one.order.arithmetic.before_bias for one in found.orders} == (
        {"bfloat16"} if before_bias else {""}
    )
    assert found.calls < 350, "1,000 and more where each channel gives each reading"


@pytest.mark.slow
def test_channels_of_other_orders_are_told_apart_at_every_border():
    found = explained([FORWARD, BACKWARD])
    assert (found.status, found.confirmed) == ("proved", True)
    even, odd = found.which()[:, ::2], found.which()[:, 1::2]
    assert not set(even.ravel()) & set(odd.ravel())
    swapped = [1, 0, *range(2, SAME.taps)]
    rotated = [*range(2, SAME.taps), 0, 1]
    for other in (rotated, [*range(20), 21, 20, *range(22, SAME.taps)]):
        which = explained([FORWARD, other], seed=3).which()
        inside = which.reshape(5, 6, 8)[1:-1, 1:-1]
        assert not set(inside[..., ::2].ravel()) & set(inside[..., 1::2].ravel())
    which = explained([FORWARD, swapped], seed=3).which().reshape(5, 6, 8)[1:-1, 1:-1]
    assert set(which.ravel()) == {which[0, 0, 0]}, "0 + 1 is 1 + 0"


@pytest.mark.parametrize(
    ("more", "tells"),
    [
        ({}, True),
        ({"bias": "bfloat16", "flush": "all", "zero_start": True}, True),
        ({"before_bias": "bfloat16", "output": "bfloat16"}, True),
        ({"before_bias": "float16"}, False),
        ({"accumulator": "bfloat16"}, False),
        ({"weights": "float32"}, False),
        ({"total": "bfloat16", "level": 1}, False),
        ({"inputs": "float16"}, False),
        ({"inputs": "float32"}, False),
    ],
)
def test_what_overflow_does_not_tell_is_asked_otherwise(more: dict[str, Any], tells: bool):
    assert Arithmetic(**{"inputs": "bfloat16", **more}).overflow_tells_all == tells
