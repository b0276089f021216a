"""A comparison of recordings that a signal stops shows what was compared by then."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from convdiff.comparing import Asked, compare_recordings
from convdiff.errors import TIME_OVER
from convdiff.lab.watch import Watch
from convdiff.recording.files import read_recording
from convdiff.recording.model import Recording
from convdiff.result import Result

ORIGIN = Path(__file__).parents[1] / "recordings" / "origin"


@pytest.fixture(scope="module")
def sides() -> list[Recording]:
    """Return both recordings of the origin, each with its case twice."""
    twice = []
    for name in ("tf1.json", "tf2.json"):
        ((key, case),) = read_recording(ORIGIN / name, name).cases.items()
        again = replace(case, case=replace(case.case, name="again"))
        twice.append(Recording({key: case, "again": again}))
    return twice


def stopped(sides: list[Recording], at: str, time: int = 1, number: int = signal.SIGTERM) -> Result:
    """Compare, and stop when something is told so many times."""
    times = 0

    def tell(what: str, *_far: object) -> None:
        nonlocal times
        times += at in what
        if times == time:
            watch.stop.now(number)

    watch = Watch(tell)
    return compare_recordings(*sides, Asked(), watch)


def test_what_was_compared_is_kept_and_the_rest_is_not_begun(sides):
    result = stopped(sides, "comparing", 3)
    (case,) = result.cases
    assert (result.exit_code, result.unbegun) == (143, 1)
    assert case.interrupted and len(case.findings) == 2


def test_orders_that_are_not_replayed_any_more_explain_nothing(sides):
    result = stopped(sides, "replaying")
    (case,) = result.cases
    drifted = [finding for finding in case.findings if finding.verdict == "rounding"]
    assert drifted
    assert {finding.unasked for finding in drifted} == {"not looked for: interrupted"}


def test_a_whole_one_is_not_interrupted(sides):
    result = stopped(sides, "never")
    assert (len(result.cases), result.unbegun, result.signal) == (2, 0, 0)


@pytest.mark.parametrize(
    ("at", "time", "code", "unbegun", "done"),
    [("comparing", 1, 125, 1, 0), ("comparing", 3, 1, 1, 2), ("replaying", 1, 1, 1, None)],
)
def test_when_the_time_is_over_the_exit_code_is_that_of_what_was_compared(
    sides, at, time, code, unbegun, done
):
    result = stopped(sides, at, time, TIME_OVER)
    (case,) = result.cases
    assert (result.exit_code, result.unbegun, result.time_over) == (code, unbegun, True)
    assert done is None or (len(case.findings) == done < case.planned)
    unasked = {finding.unasked for finding in case.findings if finding.verdict == "rounding"}
    assert done == 0 or "not looked for: --time is over" in unasked


@pytest.mark.parametrize(("at", "code"), [("comparing", 125), ("never", 0)])
def test_what_was_not_compared_in_time_is_not_green(at, code):
    same = [read_recording(ORIGIN / "tf1.json", name) for name in ("a.json", "b.json")]
    result = stopped(same, at, 3, TIME_OVER)
    assert all(finding.allowed for finding in result.cases[0].findings)
    assert (result.exit_code, result.time_over) == (code, code == 125)
