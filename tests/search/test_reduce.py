"""Delta debugging beside brute force: what is left shows it, and no single step less does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.search.reduce import parts, reduce

Some = frozenset[int]
UNIVERSE = range(7)


def fewer(some: Some) -> Iterator[Some]:
    ordered = sorted(some)
    for kept in parts(len(ordered)):
        yield frozenset(ordered[i] for i in kept)
    if len(ordered) == 1:
        yield frozenset()


@pytest.mark.slow
@given(st.sets(st.frozensets(st.sampled_from(UNIVERSE))), st.integers(0, 60))
def test_what_is_left_shows_it_and_no_single_step_less_does(shows: set[Some], most: int) -> None:
    start = frozenset(UNIVERSE)
    showing = {*shows, start}
    asked: list[Some] = []

    def ask(some: Some) -> bool:
        asked.append(some)
        return some in showing

    found = reduce(start, fewer, lambda some: some, ask, most)
    assert found.least in showing
    assert found.tried == len(asked) == len(set(asked)) <= most
    untried = set(fewer(found.least)) - set(asked) - {start}
    assert found.is_minimal == (not untried)
    if found.is_minimal:
        assert not any(less in showing for less in fewer(found.least))


@given(st.frozensets(st.sampled_from(UNIVERSE), min_size=1))
def test_of_what_has_one_cause_just_the_cause_is_left(cause: Some) -> None:
    found = reduce(frozenset(UNIVERSE), fewer, lambda some: some, cause.issubset, 1000)
    assert found.is_minimal
    assert found.least == cause


def test_a_stopped_search_gives_what_it_has() -> None:
    answers = iter([True, None])
    found = reduce(frozenset(UNIVERSE), fewer, lambda some: some, lambda _: next(answers), 1000)
    assert not found.is_minimal
    assert found.least == frozenset({0, 1, 2})


@given(st.integers(0, 40))
def test_parts_leave_out_every_single_one(count: int) -> None:
    every = list(parts(count))
    assert all(len(kept) < count for kept in every)
    singles = {tuple(i for i in range(count) if i != out) for out in range(count)}
    assert singles <= set(every) or count < 2
