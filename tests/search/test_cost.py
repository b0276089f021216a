"""What another way costs: a median whose interval holds it as often as is said."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.arrays import make_tensors
from convdiff.case.device import Device
from convdiff.case.load import case_of
from convdiff.lab.session import Session
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.search.cure.cost import LEAST_ROUNDS, Cost, Way, cost_of, relative_cost

ratios = st.lists(st.floats(0.01, 100), min_size=LEAST_ROUNDS, max_size=60)


@given(ratios)
def test_the_interval_is_around_the_median_and_between_what_was_seen(values: list[float]) -> None:
    cost = cost_of(values)
    assert min(values) <= cost.low <= cost.median <= cost.high <= max(values)
    assert cost.low in values and cost.high in values
    assert cost.median == statistics.median(values)
    assert cost.rounds == len(values)
    assert cost_of(values[::-1]) == cost


@given(ratios)
def test_twice_as_long_is_twice_and_the_other_way_round_is_one_over_it(values: list[float]) -> None:
    cost, twice = cost_of(values), cost_of([2 * one for one in values])
    assert (twice.low, twice.median, twice.high) == (2 * cost.low, 2 * cost.median, 2 * cost.high)
    inverse = cost_of([1 / one for one in values])
    assert (inverse.low, inverse.high) == (1 / cost.high, 1 / cost.low)


@given(ratios, st.floats(100, 1e6))
def test_one_disturbed_round_moves_the_interval_by_one_place_at_most(
    values: list[float], disturbed: float
) -> None:
    """Of a dozen rounds or more the worst one is not in it."""
    if len(values) >= 12:
        assert cost_of([*values, disturbed]).high <= max(values)


@pytest.mark.parametrize("count", range(LEAST_ROUNDS, 80))
def test_the_interval_is_the_narrowest_that_holds_the_median_with_95_percent(count: int) -> None:
    """By counting: each value is below the median or above it, as a coin falls."""
    cost = cost_of(list(range(1, count + 1)))
    place = int(cost.low)
    assert cost.high == count + 1 - place

    def missed(k: int) -> float:
        return float(2 * sum(math.comb(count, i) for i in range(k)) / 2**count)

    assert missed(place) <= 0.05
    assert missed(place + 1) > 0.05 or 2 * (place + 1) > count


@pytest.mark.parametrize("count", [6, 9, 16, 31])
def test_it_holds_the_median_of_skewed_times_as_often_as_is_said(count: int) -> None:
    draw = np.random.default_rng(count)
    held = 0
    for _ in range(2000):
        cost = cost_of([float(one) for one in draw.lognormal(0.3, 1.5, count)])
        held += cost.low <= math.exp(0.3) <= cost.high
    assert held >= 2000 * 0.94


def test_too_few_rounds_give_no_interval() -> None:
    with pytest.raises(ValueError, match="5 rounds"):
        cost_of([1.0] * 5)


SLEEPY = '''
"""The same convolution, once with a nap, and once as far as a worker lives."""

import os
import time

import numpy as np


def quick(x, w, b):
    time.sleep(0.004)
    return np.zeros((1, 1, x.shape[2] - w.shape[1] + 1, w.shape[3]), "f4")


def slow(x, w, b):
    time.sleep(0.008)
    return quick(x, w, b)


def dying(x, w, b):
    os._exit(3)


def failing(x, w, b):
    raise ValueError("not here")
'''
TEXT = """
filter: {normal: 1, shape: [3, 5, 8, 16]}
bias: {normal: 1, shape: [16]}
input: {normal: 1}
height: 8
lengths: [32, 256]
"""


def way(session: Session, interpreter: Interpreter, length: int = 256) -> Way:
    case = case_of(TEXT, Path("timed.yaml"))
    cell = Cell(Runtime(interpreter, Device("cpu")), "conv2d", length, 1)
    return Way(session.pool, case, make_tensors(case), cell)


@pytest.mark.slow
def test_one_that_takes_three_times_as_long_costs_about_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    monkeypatch.chdir(tmp_path)
    names = [f"sleepy:{name}" for name in ("quick", "slow", "dying", "failing")]
    found = interpreters(names, (), (), ())
    with Session(found, 60) as session:
        quick, slow, dying, failing = (way(session, one) for one in found)
        cost = relative_cost(quick, slow, 8)
        assert isinstance(cost, Cost)
        assert 1.5 < cost.median < 6, "a machine that is busy naps longer"
        assert cost.rounds == 8
        back = relative_cost(slow, quick, 8)
        assert isinstance(back, Cost)
        assert back.high < 1
        for broken, word in ((dying, "status 3"), (failing, "not here")):
            ended = relative_cost(quick, broken, 8)
            assert isinstance(ended, NoBits)
            assert word in ended.reason
        with pytest.raises(ValueError, match="rounds"):
            relative_cost(quick, slow, 5)


def mostly_around_one(costs: Sequence[Cost | NoBits]) -> bool:
    held = [
        cost for cost in costs if isinstance(cost, Cost) and cost.low <= 1.1 and cost.high >= 0.9
    ]
    return 2 * len(held) > len(costs)


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_a_way_beside_itself_costs_the_same(framework: str, runs_framework: None) -> None:
    """The interval holds 1, or nearly, in most of three measurements."""
    one, other = (Interpreter(framework, sys.executable, 1, label=label) for label in "ab")
    with Session([one, other], 120) as session:
        ways = way(session, one), way(session, other)
        costs = [relative_cost(*ways, 6) for _ in range(3)]
    assert mostly_around_one(costs), costs


def test_more_positions_cost_more(runs_framework: None) -> None:
    one = Interpreter("torch", sys.executable, 1)
    with Session([one], 120) as session:
        cost = relative_cost(way(session, one, 32), way(session, one, 256), 10)
    assert isinstance(cost, Cost)
    assert cost.low > 1.2
