"""What a net is run on: data, then padding; seen through a net that gives its input back."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from small_nets import conv, net

from convdiff.case.device import Device
from convdiff.lab.jobs import trial_input
from convdiff.lab.nets import Subject
from convdiff.net.padding import live
from convdiff.net.padding.result import Run
from convdiff.runtime.model import Interpreter, Runtime

RUNTIME = Runtime(Interpreter("numpy", sys.executable), Device("cpu"))
OWN = np.arange(1, 25, dtype=np.float32).reshape(2, 1, 12, 1)
RUNS = [Run(5, 9), Run(0, 4), Run(12, 12), Run(5, 9, trial=2), Run(5, 12), Run(5, 9, repeat=1)]


@pytest.mark.parametrize("most", [live.MOST_BYTES, 100])
def test_a_run_is_on_data_and_then_on_the_padding_value(pool, monkeypatch, most):
    monkeypatch.setattr(live, "MOST_BYTES", most)
    back = net(conv("same", 1, (1, 1)))
    one = {"same.filter": np.ones((1, 1, 1, 1), np.float32), "same.bias": np.zeros(1, np.float32)}
    observe = live.Live(Subject("back", back, one, OWN), RUNTIME, pool, -1.5)
    answers = list(observe(RUNS))
    assert [run for run, _, _ in answers] == RUNS
    for run, outputs, seconds in answers:
        data = trial_input(OWN, run.trial) if run.trial else OWN
        expected = np.full((2, 1, run.length, 1), -1.5, np.float32)
        expected[:, :, : run.data] = data[:, :, : run.data]
        assert np.array_equal(outputs["same"], expected)
        assert seconds > 0
