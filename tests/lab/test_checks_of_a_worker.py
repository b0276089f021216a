"""A large kernel is checked in its worker; what fails there is asked all the rest."""

from __future__ import annotations

import sys
from contextlib import closing
from functools import partial

import pytest

from convdiff.behaviour import checks
from convdiff.case.arrays import make_tensors
from convdiff.case.device import Device
from convdiff.case.load import stdin_case
from convdiff.lab import live
from convdiff.lab.live import LiveLab
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Interpreter, Runtime

CASE = """
filter: {normal: 1, shape: [3, 2, 4, 6], seed: 1}
input: {normal: 1, shape: [2, 9, 40, 8], seed: 2}
bias: {normal: 1, shape: [6]}
groups: 2
"""
KERNEL = """
import numpy as np

def conv(x, w, b, groups):
    view, parts = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (1, 2)), []
    for group in range(2):
        own, weights = view[:, :, :, 4 * group :][:, :, :, :4], w[..., 3 * group :][..., :3]
        parts.append(np.einsum("nhwcij,ijco->nhwo", own, weights))
    y = np.concatenate(parts, axis=3) + b
    y[0, -1, -1, 3] {change}
    return y
"""


def asked(framework: str, op: str, monkeypatch) -> tuple:
    """Return what is found of a cell, how many checks that took, and how many probes."""
    monkeypatch.setattr(checks, "LARGE", 0)
    counts = {"check": 0, "probe": 0}

    def counting(name: str, work, case, cell, question, pool):
        counts[name] += 1 if name == "check" else len(question)
        return work(case, cell, question, pool)

    for name in counts:
        monkeypatch.setattr(live, name, partial(counting, name, getattr(live, name)))
    case = stdin_case(CASE)
    cell = Cell(Runtime(Interpreter(framework, sys.executable), Device("cpu")), op, 40, 2)
    with Session([cell.runtime.interpreter], 60) as session:
        lab = LiveLab(case, make_tensors(case), session, {}, 0, Watch())
        with closing(lab):
            return lab.behaviour(cell), counts["check"], counts["probe"]


@pytest.mark.slow
@pytest.mark.parametrize("op", ["conv2d", "manual"])
def test_what_fails_no_check_is_asked_nothing_else(op: str, monkeypatch):
    found, checked, probed = asked("numpy", op, monkeypatch)
    assert found.traits is not None and found.traits.clean
    assert checked == 11
    assert probed == 0


@pytest.mark.slow
@pytest.mark.parametrize(("change", "wrong"), [("+= 0", False), ("*= 1.0001", True), ("= 1", True)])
def test_one_wrong_output_of_a_kernel_is_said_with_its_place(
    change: str, wrong: bool, monkeypatch, tmp_path
):
    (tmp_path / "own_conv.py").write_text(KERNEL.format(change=change), "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found, _, probed = asked("own_conv:conv", "conv2d", monkeypatch)
    assert (probed > 0) == wrong
    assert (found.traits.error is not None) == wrong
    if wrong:
        assert "only at output channel 3, row 6, column 38, image 0" in found.traits.error
