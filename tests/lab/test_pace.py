"""The time that is left is that of the works left, and nothing is said before it is known."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.lab.pace import Pace, Work


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def estimates(works: list[tuple[Work, float]]) -> list[tuple[float | None, float]]:
    """Do works one after the other; return what is told after each, and what is true then."""
    clock = Clock()
    pace, told = Pace([work for work, _ in works], clock), []
    for number, (work, seconds) in enumerate(works, 1):
        clock.now += seconds
        pace.did(work, seconds)
        told.append((pace.left(), sum(seconds for _, seconds in works[number:])))
    return told


def test_nothing_is_said_before_anything_is_done():
    assert Pace([Work(2.0), Work(3.0)]).left() is None
    assert Pace([]).left() is None


def test_works_that_cost_the_same_take_the_same():
    for told, true in estimates([(Work(), 2.0)] * 5)[:-1]:
        assert told == pytest.approx(true)


def test_when_all_is_done_nothing_is_left():
    assert estimates([(Work(), 2.0)] * 3)[-1][0] is None


def test_what_costs_more_takes_longer():
    works = [(Work(cost), cost / 10) for cost in (1.0, 5.0, 20.0, 100.0)]
    for told, true in estimates(works)[:-1]:
        assert told == pytest.approx(true)


def test_the_first_of_a_kind_warms_up_and_does_not_count_once_there_is_another():
    works = [(Work(), 30.0)] + [(Work(), 1.0)] * 9
    told = [one for one, _ in estimates(works)]
    assert told[0] == pytest.approx(270.0)
    assert told[1] == pytest.approx(8.0, rel=0.01)


def test_nothing_is_said_of_a_kind_that_nobody_knows_unless_it_is_little():
    many = [(Work(1.0, "conv"), 1.0)] * 3 + [(Work(5.0, "manual"), 50.0)] * 2
    assert [one for one, _ in estimates(many)][:3] == [None] * 3
    assert estimates(many)[3][0] == pytest.approx(50.0)
    few = [(Work(10.0, "conv"), 1.0)] * 3 + [(Work(0.5, "manual"), 1.0)]
    assert estimates(few)[0][0] is not None


def test_lanes_go_side_by_side_and_the_slowest_counts():
    clock = Clock()
    works = [Work(1.0, lane, lane) for lane in "ab" for _ in range(4)]
    pace = Pace(works, clock)
    clock.now = 3.0
    pace.did(works[0], 1.0)
    pace.did(works[4], 3.0)
    assert pace.left() == pytest.approx(9.0)


def test_what_goes_on_meanwhile_makes_all_slower():
    clock = Clock()
    works = [Work()] * 4
    pace = Pace(works, clock)
    clock.now = 2.0  # of which the lane was waited for a half
    pace.did(works[0], 1.0)
    assert pace.left() == pytest.approx(6.0)


def test_it_is_counted_down_and_what_takes_longer_than_expected_is_no_new_number():
    clock = Clock()
    works = [Work()] * 3
    pace = Pace(works, clock)
    clock.now = 1.0
    pace.did(works[0], 1.0)
    clock.now = 2.5
    assert pace.left() == pytest.approx(0.5)
    clock.now = 3.5
    assert pace.left() is None


KINDS = st.sampled_from([("conv", 0.5), ("manual", 3.0)])
COSTS = st.floats(1.0, 1000.0)


@given(st.lists(st.tuples(KINDS, COSTS), min_size=1, max_size=30), st.floats(1.0, 1.3))
def test_it_is_never_negative_nor_far_off_where_a_kind_takes_what_it_costs(drawn, noise):
    factors = itertools.cycle([1.0, noise])
    works = [(Work(cost, kind), cost * rate * next(factors)) for (kind, rate), cost in drawn]
    for told, true in estimates(works):
        assert told is None or told > 0
        if told is not None and true > 0 and {kind for (kind, _), _ in drawn} == {drawn[0][0][0]}:
            assert true / 1.31 <= told <= true * 1.31
