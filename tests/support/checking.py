"""Puts checks to a kernel of this process, as the worker does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kernels import Kernel

from convdiff.behaviour.checks import Check
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.worker import checks
from convdiff.worker.frameworks.numpy import Loop
from convdiff.worker.ops.convolution import Convolution


class Patient(Loop):
    """A kernel as a framework: bfloat16 comes and goes as its bits."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel, self.refused = kernel, {}

    def conv2d(self, conv, device, input_nhwc, filter_hwio, bias) -> Any:
        dtype = numpy_dtype(conv.dtype)
        x, w, b = (a if a is None else a.view(dtype) for a in (input_nhwc, filter_hwio, bias))
        y = self.kernel(conv, Tensors(w, b, x))
        return y.view(np.uint16) if conv.dtype == "bfloat16" else y


def asking(
    kernel: Kernel, conv: Convolution, shape: tuple[int, ...], *, bias: bool, op: str = "conv2d"
) -> Callable[..., tuple[int, int]]:
    """Return what puts a check to a kernel, at some places only where they are given."""

    def ask(check: Check, places: Any = None) -> tuple[int, int]:
        header, arrays = check.written(conv, shape, places, bias=bias)
        header |= {"op": op, "device": "cpu"}
        wrong, zeros = checks.answer(Patient(kernel), header, arrays).tolist()
        return wrong, zeros

    return ask
