"""A kernel that fails now and then, through the whole program: unstable, and how to look for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import Ran, case_file, convdiff

pytestmark = pytest.mark.slow

CASE = """
filter: {normal: 1.0, shape: [2, 3, 2, 3], seed: 1}
bias: {normal: 1.0, shape: [3], seed: 2}
input: {normal: 1.0, seed: 3}
height: 5
lengths: 9
expect: {runtime: rounding}
"""
KERNELS = '''
"""Right, or not, by the number of the call: no chance is in it."""

from itertools import count

import numpy as np

CALLS = count()


def right(x, w, b):
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]), x.dtype)
    for i, j, c in np.ndindex(*w.shape[:3]):
        y = y + x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
    return y if b is None else y + b


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


def run(tmp_path: Path, kernel: str, repeat: int) -> tuple[Ran, list[dict[str, Any]]]:
    (tmp_path / "noisy.py").write_text(KERNELS, "utf-8")
    case = case_file(tmp_path, f"{CASE}repeat: {repeat}\n")
    kernels = ("--kernel", "noisy:right", "--kernel", f"noisy:{kernel}")
    ran = convdiff("run", case, *kernels, "--json", "report.json", cwd=tmp_path)
    (found,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["cases"]
    return ran, found["comparisons"]


def along_runtimes(comparisons: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = (
        one for one in comparisons if (one["axis"], one["candidate"]["op"]) == ("runtime", "conv2d")
    )
    return one


def test_memory_that_nobody_wrote_is_unstable_at_one_run(tmp_path: Path):
    ran, comparisons = run(tmp_path, "unwritten", 1)
    one = along_runtimes(comparisons)
    assert (ran.code, one["verdict"], one["allowed"]) == (1, "unstable", False)
    assert "`repeat: 20` in the case shows how often" in one["evidence"]
    assert "unstable" in ran.out
    assert "repeat: 20" in " ".join(ran.out.split())


def test_a_steady_bug_is_wrong_and_the_report_says_how_noise_is_looked_for(tmp_path: Path):
    ran, comparisons = run(tmp_path, "wrong", 1)
    one = along_runtimes(comparisons)
    assert (ran.code, one["verdict"]) == (1, "wrong")
    hint = "should it come and go, `repeat: 20` in the case finds it"
    assert (hint in one["evidence"]) == (one["fits"] is None)


def test_what_fails_once_in_20_calls_is_found_by_repeat(tmp_path: Path):
    ran, comparisons = run(tmp_path, "once_in_20", 20)
    assert ran.code == 1
    found = {one["verdict"] for one in comparisons if one["axis"] == "repeat"}
    assert found == {"same", "unstable"}


def test_what_fails_once_in_20_calls_is_not_wrong_at_one_run(tmp_path: Path):
    _, comparisons = run(tmp_path, "once_in_20", 1)
    assert "wrong" not in {one["verdict"] for one in comparisons}
