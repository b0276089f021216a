"""The rule behind safe lengths is right about every length tried, and no accident."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.diagnose.safe_lengths import rule, safe_lengths


def holds(found: str, length: int) -> bool:
    """Read a rule as a person would."""
    if found == "every T":
        return True
    least = re.search(r"T ≥ (\d+)", found)
    if least and length < int(least[1]):
        return False
    period = re.search(r"T ≡ ([\d or]+) mod (\d+)", found)
    if period is None:
        return True
    return length % int(period[2]) in [int(residue) for residue in period[1].split(" or ")]


@st.composite
def kinds_of_lengths(draw: st.DrawFn) -> dict[int, bool]:
    """Draw which lengths are safe: by a period or a least length, but for a few exceptions."""
    period, start = draw(st.integers(1, 8)), draw(st.integers(5, 12))
    residues = draw(st.sets(st.integers(0, period - 1)))
    kinds = {t: t >= start and t % period in residues for t in range(5, draw(st.integers(6, 60)))}
    for length in draw(st.sets(st.sampled_from(sorted(kinds)), max_size=2)):
        kinds[length] = not kinds[length]
    return kinds


@given(kinds_of_lengths())
def test_a_rule_tells_safe_from_unsafe_at_every_length_tried(kinds: dict[int, bool]):
    found = rule([t for t, safe in kinds.items() if safe], [t for t, s in kinds.items() if not s])
    if found is not None:
        for length, safe in kinds.items():
            assert holds(found, length) == safe, (found, length)


@given(
    st.integers(2, 12),
    st.sets(st.integers(0, 11), min_size=1),
    st.integers(1, 40),
    st.integers(0, 5),
)
def test_a_period_seen_four_times_is_found(period: int, some: set[int], first: int, below: int):
    residues = {residue % period for residue in some}
    start = first + below
    lengths = range(first, start + 4 * period)
    kinds = {t: t >= start and t % period in residues for t in lengths}
    safe, unsafe = [t for t in lengths if kinds[t]], [t for t in lengths if not kinds[t]]
    found = rule(safe, unsafe)
    if below <= len(lengths) // 4:
        assert found is not None
    if found is not None:
        # Beyond what was tried it says the same, from the last start on.
        for length in range(start, start + 10 * period):
            assert holds(found, length) == (length % period in residues)


@pytest.mark.slow
@given(st.integers(5, 60), st.integers(0, 3))
def test_two_sightings_are_no_rule(period: int, residue: int):
    lengths = range(10, 10 + 2 * period)
    safe = [t for t in lengths if t % period == residue]
    assert rule(safe, [t for t in lengths if t not in safe]) is None


def test_the_simplest_rules_come_first():
    assert rule(range(8, 65, 4), [t for t in range(5, 65) if t % 4]) == "T ≡ 0 mod 4"
    assert rule(range(6, 20), [5]) == "T ≥ 6"
    assert rule(range(5, 20), []) == "every T"
    assert rule([], range(5, 20)) is None
    assert rule([], []) is None


def test_lengths_are_sorted_by_what_was_seen_and_the_longest_is_safe_with_itself():
    verdicts = {7: True, 8: False, 9: None, 10: True}
    found = safe_lengths("cpu", [7, 8, 9, 10, 12], verdicts, 16)
    assert (found.lengths, found.unsafe, found.untested) == ((7, 10, 12), (8,), (9,))
    assert (found.longest, found.inputs, found.rule) == (12, 16, None)


def test_a_length_without_a_verdict_is_untested_and_never_safe():
    found = safe_lengths("cpu", [7, 8, 12], {7: True}, 16)
    assert (found.lengths, found.untested) == ((7, 12), (8,))
