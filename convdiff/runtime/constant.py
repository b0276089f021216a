"""Frameworks that are fed a filter, which in a model is a constant: another kernel may take it."""

from __future__ import annotations

from dataclasses import replace

from convdiff.runtime.model import Runtime
from convdiff.worker.framework import CONSTANT

FED = ("onnxruntime", "openvino")


def is_fed(runtime: Runtime) -> bool:
    """Return whether a runtime is fed the filter of a convolution."""
    return runtime.interpreter.framework in FED and CONSTANT not in runtime.device.modes


def as_in_a_model(runtime: Runtime) -> Runtime:
    """Return the runtime in which a convolution alone has its filter as in a model."""
    if not is_fed(runtime):
        return runtime
    return replace(runtime, device=replace(runtime.device, modes=(*runtime.device.modes, CONSTANT)))
