"""Whether an op's output is that of operands that were rounded to a narrower format first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from convdiff.case.arrays import numpy_dtype
from convdiff.numerics.array import Array
from convdiff.worker.framework import Device
from convdiff.worker.frameworks import numpy as numpy_framework
from convdiff.worker.ops.net import Layer

FORMATS = ("bfloat16", "float16")


def narrowed_to(layer: Layer, arrays: Mapping[str, Array], x: Array, output: Array) -> str:
    """Return the format that explains an output, NHWC, or "" where none does.

    The sum over operands in that format is computed in float64; what float32 may round of it, k
    products of unit roundoff u, is allowed: k·u·Σ|x·w| (Higham, Accuracy and Stability, 3.1).
    """
    bias = arrays.get("bias")
    size_of_bias = None if bias is None else np.abs(bias)
    roundoff = float(np.finfo(np.float32).eps) / 2 * (layer.conv.taps + 1)
    for name in FORMATS:
        given = [one.astype(numpy_dtype(name)).astype(np.float64) for one in (x, arrays["filter"])]
        exact = _computed(layer, given, bias)
        size = _computed(layer, list(map(np.abs, given)), size_of_bias)
        if exact.shape == output.shape and (np.abs(output - exact) <= roundoff * size).all():
            return name
    return ""


def is_narrowed(
    layer: Layer, arrays: Mapping[str, Array], inputs: Iterable[Array], outputs: Iterable[Array]
) -> bool:
    """Return whether a side's output is that of operands of a narrower format."""
    sides = zip(inputs, outputs, strict=True)
    return any(narrowed_to(layer, arrays, x, output) for x, output in sides)


def _computed(layer: Layer, given: list[Array], bias: Array | None) -> Array:
    conv = layer.conv._replace(dtype="float64")
    wide = None if bias is None else bias.astype(np.float64)
    x, weights = given
    result: Array = numpy_framework.open(None).conv2d(conv, Device("cpu"), x, weights, wide)
    return result
