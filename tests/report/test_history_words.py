"""What is said of histories: every change of a scan, and what halves may have missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from convdiff.case.load import built_in_case
from convdiff.report.history import besides, not_monotone, of_releases
from convdiff.search.ends import Ends, chosen, contradiction
from convdiff.search.history import History, bisect, scan
from convdiff.search.signature import Signature
from convdiff.search.states import State, state_in_words

RIGHT: State = frozenset()
WRONG: State = frozenset({Signature("length", "rounding", causes=frozenset({"order"}))})
OTHER: State = frozenset({Signature("batch", "rounding", causes=frozenset({"fma"}))})
LINE = [f"1.{minor}.0" for minor in range(8)]
HUMP = [RIGHT] * 3 + [WRONG] * 2 + [RIGHT] * 3


@dataclass
class Tried:
    """What `of_releases` reads of the releases that were tried."""

    reasons: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, dict[str, object]] = field(default_factory=dict)
    packages: dict[str, dict[str, str]] = field(default_factory=dict)


def told(history: History[str], ends: Ends[str] | None = None) -> list[str]:
    case = built_in_case()
    return list(of_releases(case, "package", history, Tried(), ends or Ends()))  # type: ignore[arg-type]


def states(those: Sequence[State | None]):
    return lambda release: those[LINE.index(release)]


def test_eight_releases_that_go_right_wrong_right_are_scanned_rightly() -> None:
    lines = told(scan(LINE, states(HUMP)))
    assert lines[0] == "variable-padding: package 1.2.0 and 1.3.0 differ"
    assert lines[1:3] == ["  1.2.0    no drift", "  1.3.0    length: rounding, order"]
    assert lines[3] == "variable-padding: package 1.4.0 and 1.5.0 differ"
    assert not [line for line in lines if "warning" in line]


def test_and_are_bisected_only_with_a_warning() -> None:
    history = bisect(LINE, states(HUMP))
    assert len(history.states) == 2
    lines = told(history)
    assert lines[0].endswith("1.0.0 and 1.7.0 agree (no drift), 6 between them untried")
    assert lines[1] == (
        "  warning  a change that was undone between them is not seen: --scan tries all"
    )


def test_a_third_state_on_the_way_is_warned_of() -> None:
    three = [RIGHT] * 2 + [OTHER] * 3 + [WRONG] * 3
    history = bisect(LINE, states(three))
    assert not history.is_monotone
    assert list(not_monotone(history))
    told_of = " ".join(told(history))
    assert "warning  not one change" in told_of
    for change in history.changes:  # what lies between two that were tried is said
        assert change.is_exact or f"or one of {change.untried[0]}" in told_of


@pytest.mark.parametrize("from_last", [False, True])
def test_halves_find_where_it_is_no_more_what_an_end_is(from_last: bool) -> None:
    three = [RIGHT] * 2 + [OTHER] * 3 + [WRONG] * 3
    history = bisect(LINE, states(three), from_last=from_last)
    exact = [(one.last, one.first) for one in history.changes if one.is_exact]
    assert ("1.4.0", "1.5.0") in exact if from_last else ("1.1.0", "1.2.0") in exact


def test_every_release_is_tried_before_no_release_changes_it_is_said() -> None:
    assert told(scan(LINE, states([RIGHT] * 8)))[0] == (
        "variable-padding: no release from 1.0.0 to 1.7.0 changes it (no drift)"
    )
    some = told(scan(LINE, states([RIGHT, None, *[RIGHT] * 6])))
    assert some[0].endswith("changes it (no drift), but 1 of them not run")
    assert "no release" not in told(bisect(LINE, states([RIGHT] * 8)))[0]


def test_who_names_the_ends_is_answered_in_these_words() -> None:
    step = [RIGHT] * 5 + [WRONG] * 3
    lines = told(bisect(LINE, states(step)), Ends("1.0.0", "1.7.0"))
    assert (
        lines[0] == "variable-padding: package 1.5.0 is the first bad one, 1.4.0 the last good one"
    )
    fixed = bisect(LINE, states(step[::-1]), from_last=True)
    lines = told(fixed, Ends(find_fix=True))
    assert lines[0].endswith("1.3.0 is the first with the fix, 1.2.0 the last without")


def test_what_is_said_of_the_ends_is_verified() -> None:
    history = bisect(LINE, states([WRONG] * 3 + [RIGHT] * 5))
    against = contradiction(Ends("1.0", "1.7"), history, state_in_words)
    assert against == "1.0.0 is taken for good, and shows length: rounding, order"
    assert not contradiction(Ends(bad="1.0", find_fix=True), history, state_in_words)
    assert not contradiction(Ends(), history, state_in_words)
    bits = bisect(LINE, lambda release: "same")
    assert contradiction(Ends("1.0"), bits, state_in_words).endswith("show the same")


def test_an_end_is_a_release_or_the_one_of_its_minor() -> None:
    assert chosen(["1.4.1", "1.15.5"], "1.4", "--good") == "1.4.1"
    assert Ends[str]("1.2", "1.4").cut(LINE) == LINE[2:5]
    for text in ("1.1", "2"):
        with pytest.raises(Exception, match=f"--skip {text}: none of the line"):
            chosen(["1.1.0", "1.1.1"], text, "--skip")


def test_what_else_changed_is_told() -> None:
    tried = Tried(
        fingerprints={
            "1": {"numpy": "1.16", "python": "3.6.15", "threads": 1, "onednn": False},
            "2": {"numpy": "1.26", "python": "3.6.15", "threads": 2, "onednn": True},
        },
        packages={"1": {"numpy": "1.16", "jaxlib": "0.3"}, "2": {"numpy": "1.26", "jaxlib": "0.4"}},
    )
    assert list(besides(tried, "1", "2")) == [  # type: ignore[arg-type]
        "  besides  NumPy: 1.16 → 1.26",
        "  besides  oneDNN: off → on",
        "  besides  threads: 1 → 2",
        "  packages jaxlib 0.3 → 0.4",
    ]
