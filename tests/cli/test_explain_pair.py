"""`convdiff explain` of two runtimes: the orders of both, and the proved cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Ran, case_file, convdiff

KERNELS = """
import numpy as np


def _terms(x, w):
    kw = w.shape[1]
    columns = x.shape[2] - kw + 1
    return [x[:, :, t : t + columns, 0, None] * w[0, t, 0] for t in range(kw)]


def sequential(x, w, b):
    total, *terms = _terms(x, w)
    for term in terms:
        total = total + term
    return total


def the_same(x, w, b):
    return sequential(x, w, b)


def backwards(x, w, b):
    *terms, total = _terms(x, w)
    for term in reversed(terms):
        total = total + term
    return total


def flushing(x, w, b):
    flush = lambda v: np.where(np.abs(v) < 2.0**-126, np.float32(0), v)
    return flush(sequential(flush(x), flush(w), b))


def half_weights(x, w, b):
    return sequential(x, w.astype(np.float16).astype(np.float32), b)


def taller(x, w, b):
    return np.zeros((1, 1, 3, 2), np.float32)
"""
CASE = """
filter: {normal: 1.0, shape: [1, 9, 1, 3], seed: 1}
input: {normal: SCALE, seed: 3}
lengths: 40
"""


def pair(folder: Path, one: str, other: str, *options: str, scale: str = "1.0") -> Ran:
    (folder / "pairs.py").write_text(KERNELS)
    case = case_file(folder, CASE.replace("SCALE", scale))
    kernels = ["--kernel", f"pairs:{one}", "--kernel", f"pairs:{other}"]
    return convdiff("explain", case, *kernels, *options, cwd=folder, env={"COLUMNS": "200"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "scale", "cause"),
    [
        ("backwards", "1.0", "proved: order (another order of the same products)"),
        ("half_weights", "1.0", "proved: precision (inputs or weights are narrowed on one side)"),
        (
            "flushing",
            "1.0e-38",
            "proved: flush to zero (one side takes subnormal numbers for zero)",
        ),
    ],
)
def test_the_cause_of_a_pair_is_proved(tmp_path: Path, other: str, scale: str, cause: str) -> None:
    ran = pair(tmp_path, "sequential", other, scale=scale)
    assert ran.code == 0, ran.err
    assert ran.out.count("PROVED") == 2
    assert f"pairs:{other}:cpu against pairs:sequential:cpu: " in ran.out
    assert cause in " ".join(ran.out.split())
    assert "splits  element" in ran.out


@pytest.mark.slow
def test_an_element_that_is_asked_for_is_the_one_that_is_followed(tmp_path: Path) -> None:
    ran = pair(tmp_path, "sequential", "half_weights", "--index", "0,0,7,2")
    assert "element 0,0,7,2: its products and partial sums" in ran.out
    assert "splits  element 0,0,7,2, the sum of" in ran.out


@pytest.mark.slow
def test_two_that_are_equal_have_no_cause(tmp_path: Path) -> None:
    ran = pair(tmp_path, "sequential", "the_same")
    assert "all 96 elements are equal" in ran.out
    assert "cause" not in ran.out


@pytest.mark.slow
def test_a_side_of_another_shape_is_no_pair_and_no_success(tmp_path: Path) -> None:
    ran = pair(tmp_path, "sequential", "taller")
    assert ran.code == 125
    assert "a side gave no output of the same shape" in ran.out
    assert "Traceback" not in ran.err


def test_three_runtimes_are_refused(tmp_path: Path) -> None:
    ran = pair(tmp_path, "sequential", "backwards", "--kernel", "pairs:flushing")
    assert ran.code == 2
    assert "explain looks at one runtime, or at two and why they differ; 3 are named" in ran.err
