"""A kernel on 255 steps through the whole program: precision, with the steps, and no order."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_kernels import RIGHT, reported
from program import case_file

pytestmark = pytest.mark.slow

CASE = """
filter: {normal: 0.1, shape: [3, 3, 4, 4], seed: 1}
bias: {normal: 0.1, shape: [4], seed: 2}
input: {normal: 1.0, seed: 3}
height: 8
lengths: 8
"""
KERNELS = '''
"""The same sums, of whole numbers and of weights on 255 steps a channel."""

def int8(x, w, b):
    scale = np.abs(w).max(axis=(0, 1, 2)) / np.float32(127)
    scale = np.where(scale > 0, scale, np.float32(1))
    return right(x, np.rint(w / scale) * scale, b)
'''


def test_steps_are_precision_and_no_order_is_looked_for(tmp_path: Path):
    (tmp_path / "quantised.py").write_text(RIGHT + KERNELS, "utf-8")
    kernels = ("--kernel", "quantised:right", "--kernel", "quantised:int8")
    case_file(tmp_path, CASE)
    ran, report = reported(tmp_path, *kernels)
    assert ran.code == 1
    (found,) = report["cases"]
    ours = [one for one in found["comparisons"] if one["candidate"]["op"] == "conv2d"]
    said = {(one["axis"], one["verdict"]) for one in ours}
    assert ("runtime", "precision") in said
    assert "wrong" not in {verdict for _, verdict in said}
    text = " ".join(ran.out.split())
    assert "weights of a channel lie on 255 steps (8 bits)" in text
    assert "no order of the case's own products gives sums of quantised ones" in text
