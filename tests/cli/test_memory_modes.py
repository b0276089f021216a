"""Modes of memory for a kernel of one's own: the cell, its probes and its orders see one layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from own_kernels import RIGHT, between_runtimes, reported
from program import Ran, case_file, convdiff

pytestmark = pytest.mark.slow

KERNELS = '''
def blind(x, w, b):
    """Reads on from the first number, as if memory were contiguous."""
    dense = [np.lib.stride_tricks.as_strided(a, a.shape, packed(a)) for a in (x, w)]
    return right(*dense, b)


def packed(a):
    return [int(np.prod(a.shape[k + 1 :])) * a.itemsize for k in range(a.ndim)]


def fussy(x, w, b):
    if w.flags.c_contiguous:
        raise ValueError("not laid out")
    return right(x, w, b)
'''
CASE = """
filter: {normal: 1.0, shape: [2, 3, 2, 3], seed: 1}
input: {normal: 1.0, seed: 2}
lengths: 8
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "k.py").write_text(RIGHT + KERNELS, "utf-8")
    case_file(tmp_path, CASE)
    return tmp_path


def asked(folder: Path, framework: str, kernel: str) -> tuple[Ran, Any]:
    """Run a kernel beside a framework; return what was printed, and how the two compare."""
    ran, report = reported(folder, "--framework", framework, "--kernel", kernel)
    return ran, between_runtimes(report)


@pytest.mark.parametrize("mode", ["input_sliced", "input_permuted", "weights_sliced"])
def test_a_kernel_that_takes_no_notice_of_strides_is_wrong_there_and_only_there(
    folder: Path, mode: str
):
    _, plain = asked(folder, "numpy", "k:blind")
    assert plain["verdict"] in ("same", "rounding")
    case_file(folder, f"{CASE}device: cpu+{mode}\n")
    ran, found = asked(folder, "numpy:cpu", "k:blind")
    assert found["candidate"]["runtime"] == f"k:blind:cpu+{mode}"
    assert ran.code == 1 and found["verdict"] == "wrong", found
    seen = " ".join(found["evidence"])
    assert "integers" in seen or "NaN or infinite on one side" in seen


def test_a_kernel_that_minds_strides_gives_the_same_and_its_orders_are_proved(folder: Path):
    case_file(folder, f"{CASE}device: cpu+input_sliced+weights_permuted\n")
    ran, found = asked(folder, "numpy:cpu", "k:fussy")
    assert ran.code == 0, ran.out
    assert found["verdict"] == "same"
    lying = ("--device", "cpu+input_sliced+weights_permuted")
    ran = convdiff("explain", "case.yaml", "--kernel", "k:fussy", *lying, cwd=folder)
    assert ran.code == 0 and ran.out.startswith("PROVED"), "in that layout every probe was answered"


def test_two_layouts_of_one_array_are_refused_with_their_names(folder: Path):
    case_file(folder, f"{CASE}device: cpu+input_sliced+input_permuted\n")
    ran = convdiff("run", "case.yaml", "--kernel", "k:right", cwd=folder)
    assert ran.code == 125
    assert "input_sliced and input_permuted lay out one array" in " ".join(ran.out.split())
