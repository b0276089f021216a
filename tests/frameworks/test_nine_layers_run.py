"""The nine-layer net as it was asked about: equal up to the last layer, and that differs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from asking import need
from nine_layers import LONGEST, nine_layers

from convdiff.case.device import Device
from convdiff.lab.nets import NetRun, Watched, observe_net
from convdiff.lab.pool import Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter, Runtime

LENGTHS = (452, 483, 515, 516, 580, 700, 1290)


def differing(pool: Pool, interpreter: Interpreter, mode: str = "") -> dict[int, list[str]]:
    """Return the layers whose outputs at each length are not those at the longest."""
    subject = nine_layers()
    runtime = Runtime(interpreter, Device.parse("cpu" + mode))
    watched = [Watched(layer.name) for layer in subject.net.layers]
    runs = [NetRun(runtime, length) for length in (LONGEST, *LENGTHS)]
    whole, found = {}, {}
    for run, activations, _ in observe_net(subject, runs, watched, pool):
        assert not isinstance(activations, NoBits), activations
        if run.length == LONGEST:
            whole = activations
            continue
        found[run.length] = [
            name
            for name, array in activations.items()
            if not np.array_equal(array, whole[name][:, :, : array.shape[2]])
        ]
    return found


THE_PICTURE = {length: ["conv9"] if length < 516 else [] for length in LENGTHS}


def test_only_the_last_layer_differs_and_only_with_one_output_on_tensorflow_1(
    workers: Pool, tf1_python: str
):
    assert differing(workers, Interpreter("tensorflow", tf1_python)) == THE_PICTURE


@pytest.mark.parametrize("mode", ["", "+graph"])
def test_the_same_happens_on_todays_without_onednn(runs_framework: None, workers: Pool, mode: str):
    need("tensorflow")
    # Without AVX-512 it calls a product of oneDNN's, unless that is held back too.
    settings = (("TF_ENABLE_ONEDNN_OPTS", "0"), ("ONEDNN_MAX_CPU_ISA", "SSE41"))
    interpreter = Interpreter("tensorflow", sys.executable, settings=settings)
    assert differing(workers, interpreter, mode) == THE_PICTURE


def test_nothing_differs_on_onnx_runtime(runs_framework: None, workers: Pool):
    need("onnxruntime")
    found = differing(workers, Interpreter("onnxruntime", sys.executable))
    assert not any(found.values())
