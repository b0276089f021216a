"""Data with NaN and infinity, and kernels that treat them in ways of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from kernels import Kernel, direct, products

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]


def with_values(
    data: Tensors, where: str, **at: tuple[int, ...] | list[tuple[int, ...]]
) -> Tensors:
    """Return the data with NaN, +inf and −inf at indices of one array: nan=(0, 1, 2, 0)."""
    array = getattr(data, where).copy()
    values = {"nan": np.nan, "plus": np.inf, "minus": -np.inf, "zero": 0.0}
    for name, indices in at.items():
        for index in indices if isinstance(indices, list) else [indices]:
            array[index] = values[name]
    return replace(data, **{where: array})


def by_ieee(conv: Convolution, data: Tensors) -> Array:
    """Return every output in fp64, product by product, by the definition: no shared code."""
    x, w = data.input_nhwc.astype(np.float64), data.filter_hwio.astype(np.float64)
    b = np.zeros(conv.channels_out) if data.bias is None else data.bias.astype(np.float64)
    y = np.empty(conv.output_shape(*x.shape[:3]))
    width, per_group = w.shape[2], conv.channels_out // conv.groups
    with np.errstate(invalid="ignore"):
        for n, row, column, out in np.ndindex(*y.shape):
            total = np.float64(0.0)
            for i, j, c in np.ndindex(*w.shape[:3]):
                top = row * conv.strides[0] + i * conv.dilations[0]
                left = column * conv.strides[1] + j * conv.dilations[1]
                total += x[n, top, left, out // per_group * width + c] * w[i, j, c, out]
            y[n, row, column, out] = total + b[out]
    return y


def skipping_zero_weights(conv: Convolution, data: Tensors) -> Array:
    """Sum what has a weight: NaN·0 and inf·0 are no terms."""
    dtype = numpy_dtype(conv.dtype)
    total: Any = 0
    per_group, zero = conv.channels_out // conv.groups, data.filter_hwio == 0
    assert per_group == conv.channels_out, "one group"
    with np.errstate(invalid="ignore", over="ignore"):
        terms = products(conv, data, dtype)
        terms = np.where(zero.reshape(conv.taps, -1), dtype.type(0), terms)
        for tap in range(conv.taps):
            total = total + terms[..., tap, :]
    return total if data.bias is None else total + data.bias


def on_cleaned(change: Any, kernel: Kernel = direct) -> Kernel:
    """Return a kernel whose input is cleaned first."""
    return lambda conv, data: kernel(conv, replace(data, input_nhwc=change(data.input_nhwc)))


def on_output(change: Any, kernel: Kernel = direct) -> Kernel:
    """Return a kernel whose output is changed."""
    return lambda conv, data: change(kernel(conv, data))


def beyond_the_window(conv: Convolution, data: Tensors) -> Array:
    """Sum lanes of which the last is the next column, times zero: no matter unless it is NaN."""
    y = direct(conv, data)
    reach, step = conv.reach[1], conv.strides[1]
    with np.errstate(invalid="ignore"):
        beyond = (data.input_nhwc[:, :, reach::step] * 0).sum(axis=(1, 3), keepdims=True)
    y = y.copy()
    width = min(beyond.shape[2], y.shape[2])
    y[:, :, :width] += beyond[:, :, :width].astype(y.dtype)
    return y
