"""A kernel that fails now and then, through the whole program: unstable, and how to look for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from own_kernels import CASE, RIGHT, between_runtimes, reported
from program import Ran, case_file

pytestmark = pytest.mark.slow

KERNELS = '''
"""Right, or not, by the number of the call: no chance is in it."""

from itertools import count

CALLS = count()


def unwritten(x, w, b):
    y = right(x, w, b)
    y[0, 0, 0, 0] += 1 + next(CALLS)
    return y


def once_in_20(x, w, b):
    y = right(x, w, b)
    y[0, -1, -1, -1] += next(CALLS) % 20 == 13
    return y


def wrong(x, w, b):
    y = right(x, w, b)
    y[0, 0, 0, 0] += 0.5
    return y
'''


def run(tmp_path: Path, kernel: str, repeat: int) -> tuple[Ran, Any]:
    """Run a right kernel and one of KERNELS; return what was printed, and the report."""
    (tmp_path / "noisy.py").write_text(RIGHT + KERNELS, "utf-8")
    case_file(tmp_path, f"{CASE}lengths: 9\nexpect: {{runtime: rounding}}\nrepeat: {repeat}\n")
    return reported(tmp_path, "--kernel", "noisy:right", "--kernel", f"noisy:{kernel}")


def verdicts(report: Any, axis: str | None = None) -> set[str]:
    """Return the verdicts along an axis, or along all."""
    comparisons = report["cases"][0]["comparisons"]
    return {one["verdict"] for one in comparisons if axis in (None, one["axis"])}


def test_memory_that_nobody_wrote_is_unstable_at_one_run(tmp_path: Path):
    ran, report = run(tmp_path, "unwritten", 1)
    one = between_runtimes(report)
    assert (ran.code, one["verdict"], one["allowed"]) == (1, "unstable", False)
    assert "`repeat: 20` in the case shows how often" in one["evidence"]
    assert "unstable" in ran.out
    assert "repeat: 20" in " ".join(ran.out.split())


def test_a_steady_bug_is_wrong_and_the_report_says_how_noise_is_looked_for(tmp_path: Path):
    ran, report = run(tmp_path, "wrong", 1)
    one = between_runtimes(report)
    assert (ran.code, one["verdict"]) == (1, "wrong")
    hint = "should it come and go, `repeat: 20` in the case finds it"
    assert (hint in one["evidence"]) == (one["fits"] is None)


def test_what_fails_once_in_20_calls_is_found_by_repeat(tmp_path: Path):
    ran, report = run(tmp_path, "once_in_20", 20)
    assert ran.code == 1
    assert verdicts(report, "repeat") == {"same", "unstable"}


def test_what_fails_once_in_20_calls_is_not_wrong_at_one_run(tmp_path: Path):
    _, report = run(tmp_path, "once_in_20", 1)
    assert "wrong" not in verdicts(report)
