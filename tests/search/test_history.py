"""Changes along a line, beside brute force: every one by a scan, one by halves."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from convdiff.search.history import bisect, scan

STATES = st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=40)


@given(STATES)
def test_a_scan_finds_every_change(states: list[str | None]) -> None:
    history = scan(range(len(states)), lambda place: states[place])
    there = [place for place, state in enumerate(states) if state is not None]
    pairs = pairwise(there)
    expected = [(one, other) for one, other in pairs if states[one] != states[other]]
    assert [(change.last, change.first) for change in history.changes] == expected
    for change in history.changes:
        assert change.skipped == tuple(range(change.last + 1, change.first))
    assert not history.untried


@given(STATES)
def test_halves_end_at_a_true_change_and_ask_each_once(states: list[str | None]) -> None:
    asked: list[int] = []

    def state(place: int) -> str | None:
        asked.append(place)
        return states[place]

    history = bisect(range(len(states)), state)
    assert len(asked) == len(set(asked))
    there = [place for place, one in enumerate(states) if one is not None]
    if len(there) < 2 or states[there[0]] == states[there[-1]]:
        assert not history.changes or not there
        return
    found = history.changes
    assert any(
        all(states[place] is None for place in range(one.last + 1, one.first)) for one in found
    )
    if None not in states:
        assert len(asked) <= 2 + len(states).bit_length()


@given(st.integers(2, 2000), st.data())
def test_one_change_is_found_exactly(count: int, data: st.DataObject) -> None:
    switch = data.draw(st.integers(1, count - 1))
    history = bisect(range(count), lambda place: place >= switch)
    (change,) = history.changes
    assert (change.last, change.first) == (switch - 1, switch)
    assert len(history.states) <= 2 + count.bit_length()


def test_right_wrong_right_is_scanned_and_by_halves_the_ends_agree() -> None:
    states = ["right"] * 3 + ["wrong"] * 2 + ["right"] * 3
    scanned = scan(range(8), lambda place: states[place])
    assert [(one.last, one.first) for one in scanned.changes] == [(2, 3), (4, 5)]
    halved = bisect(range(8), lambda place: states[place])
    assert halved.states[0][1] == halved.states[-1][1] == "right"
    assert not halved.changes
    assert halved.untried == tuple(range(1, 7))


def test_an_empty_set_of_signatures_is_a_state() -> None:
    history = scan(range(2), lambda place: frozenset() if place else frozenset({1}))
    assert len(history.changes) == 1
    assert not history.skipped
