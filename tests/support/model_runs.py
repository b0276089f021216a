"""Runs a model's net in a framework and returns its output as the model's file has it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from convdiff.case.device import Device
from convdiff.lab.nets import NetRun, Watched, observe_net
from convdiff.lab.pool import Pool
from convdiff.net.models.model import Model
from convdiff.net.models.subject import as_in_file, subject_of
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter, Runtime


def runtime_of(spec: str) -> Runtime:
    """Return a runtime of this interpreter: torch, openvino:f32."""
    framework, _, mode = spec.partition(":")
    device = Device("cpu", modes=(mode,) if mode else ())
    return Runtime(Interpreter(framework, sys.executable), device)


def output_of(model: Model, given: Any, spec: str, pool: Pool) -> Any:
    """Return the first output of a model's net, or NoBits."""
    subject = subject_of(model, given)
    batch, _, length, _ = subject.input_nhwc.shape
    name = model.net.outputs[0]
    runs = [NetRun(runtime_of(spec), length, batch)]
    for _, found, _ in observe_net(subject, runs, [Watched(name)], pool, observe="outputs"):
        if isinstance(found, NoBits):
            return found
        return as_in_file(np.asarray(found[name]), model.activations[name])
    raise AssertionError("stopped")
