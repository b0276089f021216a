"""`convdiff explain` of padded and transposed convolutions: orders by border and phase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import case_file, convdiff

KERNEL = """
import numpy as np


def inner_first(x, w, b, *, padding=((0, 0), (0, 0))):
    # Adds the taps of a row left to right, at the left edge right to left: none of padding.
    (_, (left, right)), (n, _, t, _) = padding, x.shape
    y = np.zeros((n, 1, t + left + right - w.shape[1] + 1, w.shape[3]), x.dtype)
    for o in range(y.shape[2]):
        taps = [k for k in range(w.shape[1]) if 0 <= o + k - left < t]
        total = None
        for k in taps[::-1] if o < left else taps:
            term = x[:, :, o + k - left] * w[0, k]
            total = term if total is None else total + term
        y[:, :, o] = total
    return y
"""
SAME = """
filter: {normal: 1.0, shape: [1, 5, 1, 2], seed: 1}
input: {normal: 1.0, shape: [1, 1, 12, 1], seed: 2}
padding: same
"""
TRANSPOSED = """
op: conv1d_transpose
filter: {normal: 1.0, shape: [4, 2, 3], seed: 1}
bias: [1.0, 2.0, 3.0]
input: {normal: 1.0, shape: [1, 5, 2], seed: 2}
strides: [2]
"""
PADS = """
op: conv3d
filter: {normal: 1.0, shape: [2, 2, 2, 1, 2], seed: 1}
input: {normal: 1.0, shape: [1, 2, 3, 4, 1], seed: 2}
padding: [[2, 0], [0, 1], [1, 1]]
"""


def output(folder: Path, case: str, *options: object) -> dict[str, Any]:
    ran = convdiff("explain", case_file(folder, case), *options, "--json", "-", cwd=folder)
    assert ran.code == 0, ran.err
    (only,) = json.loads(ran.out)["outputs"]
    assert isinstance(only, dict)
    return only


@pytest.mark.slow
@pytest.mark.parametrize("op", ["", "manual"])
@pytest.mark.parametrize("case", [SAME, TRANSPOSED, PADS], ids=["same", "transposed", "3-D"])
def test_every_element_of_a_framework_s_own_op_is_replayed(
    tmp_path: Path, case: str, op: str
) -> None:
    found = output(tmp_path, case, "--framework", "numpy", *(["--op", op] if op else []))
    replayed, total = found["replayed"]
    assert (found["status"], replayed) == ("proved", total)
    assert found["confirmed"]
    assert found["padding"] + sum(order["elements"] for order in found["orders"]) == total
    assert found["padding"] == (3 * 5 * 2 if case is PADS else 0)
    assert len({order["where"] for order in found["orders"]}) == len(found["orders"]) > 1


@pytest.mark.slow
def test_a_border_with_an_order_of_its_own_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(KERNEL)
    ran = convdiff(
        *("explain", case_file(tmp_path, SAME), "--kernel", "own:inner_first"),
        *("--index", "0,0,1,1"),
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    shown = ran.out.splitlines()
    assert "24 of 24 elements replayed bit for bit" in ran.out
    assert "a  20 elements: ((((0+1)+2)+3)+4)" in shown
    assert "   16 inside; 4 at the right edge, 1 to 2 taps fewer" in shown
    assert "bbaaaaaaaaaa" in shown
    # The taps have the names that they have in the whole filter.
    drawn = shown[shown.index("order b, at the left edge, 1 tap fewer") + 2 :]
    assert [row.split()[2] for row in drawn] == ["(0,3,0)", "(0,4,0)", "(0,2,0)", "(0,1,0)"]


@pytest.mark.slow
def test_an_element_on_padding_alone_has_no_order_and_needs_none(tmp_path: Path) -> None:
    ran = convdiff(
        *("explain", case_file(tmp_path, PADS), "--framework", "numpy", "--index", "0,0,0,0,0"),
    )
    assert ran.code == 0, ran.err
    assert "·  30 elements on padding alone" in ran.out.splitlines()
    assert "it sees padding alone" in ran.out
