"""Convolutions in NumPy whose way of computing is known: the laboratory's patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from convdiff.behaviour.examine import Measure
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.device import Device
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
Kernel = Callable[[Convolution, Tensors], Array]

HEIGHT, LENGTH, BATCH = 9, 11, 2
CELL = Cell(Runtime(Interpreter("numpy", "numpy"), Device("cpu")), "conv2d", LENGTH, BATCH)


def measure_with(kernel: Kernel, conv: Convolution) -> Measure:
    """Return the laboratory's way to this kernel, which may refuse by giving None."""

    def measure(cell: Cell, data: Sequence[Tensors]) -> list[Array | None]:
        return [kernel(conv, tensors) for tensors in data]

    return measure


def products(conv: Convolution, tensors: Tensors, dtype: Any) -> Array:
    """Return every product, rounded to `dtype`: (N, OH, OW, taps, C_out)."""
    x, w = tensors.input_nhwc, tensors.filter_hwio
    view = conv.windows(x)
    width, per_group = conv.channels_in // conv.groups, conv.channels_out // conv.groups
    parts = []
    for group in range(conv.groups):
        field = view[..., group * width : (group + 1) * width]
        field = np.ascontiguousarray(field).reshape(*view.shape[:3], conv.taps, 1)
        weights = w[..., group * per_group : (group + 1) * per_group].reshape(conv.taps, per_group)
        parts.append((field.astype(dtype) * weights.astype(dtype)).astype(dtype))
    return np.concatenate(parts, axis=-1)


def add_up(
    conv: Convolution, tensors: Tensors, order: Sequence[int], accumulator: Any = None
) -> Array:
    """Sum the products in this order, one after the other, rounding after each addition."""
    wanted = numpy_dtype(conv.dtype)
    dtype = np.dtype(accumulator or wanted)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = products(conv, tensors, dtype)
        total = np.zeros((*terms.shape[:3], conv.channels_out), dtype)
        for tap in order:
            total = (total + terms[..., tap, :]).astype(dtype)
        if tensors.bias is not None:
            total = (total + tensors.bias.astype(dtype)).astype(dtype)
        return total.astype(wanted)


def direct(conv: Convolution, tensors: Tensors) -> Array:
    """Sum in the order of memory."""
    return add_up(conv, tensors, range(conv.taps))


def shuffled(seed: int) -> Kernel:
    """Return a kernel that sums in a random order of its own."""

    def kernel(conv: Convolution, tensors: Tensors) -> Array:
        return add_up(conv, tensors, np.random.default_rng(seed).permutation(conv.taps))

    return kernel


def rounded_inputs(to: Callable[[Array], Array]) -> Kernel:
    """Return a kernel that rounds inputs and weights before it multiplies."""

    def kernel(conv: Convolution, tensors: Tensors) -> Array:
        x, w = to(tensors.input_nhwc), to(tensors.filter_hwio)
        return direct(conv, replace(tensors, input_nhwc=x, filter_hwio=w))

    return kernel


def rounded_output(to: Callable[[Array], Array]) -> Kernel:
    """Return a kernel that stores its result in fewer bits."""
    return lambda conv, tensors: to(direct(conv, tensors))


def to_float16(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(array.dtype)


def to_bits(fraction: int) -> Callable[[Array], Array]:
    """Return the rounding of float32 to so many fraction bits, to nearest even: 10 TF32, 7 bf16."""

    def to(array: Array) -> Array:
        raw = array.astype(np.float32).view(np.uint32).astype(np.uint64)
        drop = 23 - fraction
        half = np.uint64((1 << (drop - 1)) - 1)
        raw = raw + half + ((raw >> np.uint64(drop)) & np.uint64(1))
        raw = raw >> np.uint64(drop) << np.uint64(drop)
        return raw.astype(np.uint32).view(np.float32)

    return to


def half_accumulator(conv: Convolution, tensors: Tensors) -> Array:
    """Multiply and add in fp16."""
    return add_up(conv, tensors, range(conv.taps), np.float16)


def bfloat16_accumulator(conv: Convolution, tensors: Tensors) -> Array:
    """Multiply and add in bfloat16."""
    return add_up(conv, tensors, range(conv.taps), ml_dtypes.bfloat16)


# B^T, G, A^T of Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016.
TRANSFORMS = {
    2: (
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
        [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, -1]],
    ),
    4: (
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ],
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    ),
}


def winograd(tile: int) -> Kernel:
    """Return F(tile × tile, 3 × 3) in the case's own dtype, stride 1, one group."""
    bt, g, at = (np.array(matrix) for matrix in TRANSFORMS[tile])

    def kernel(conv: Convolution, tensors: Tensors) -> Array:
        dtype = numpy_dtype(conv.dtype)
        b_t, g_, a_t = bt.astype(dtype), g.astype(dtype), at.astype(dtype)
        x, w = tensors.input_nhwc, tensors.filter_hwio
        batch, rows, columns, channels = conv.output_shape(x.shape[0], x.shape[1], x.shape[2])
        more = [(0, 0), (0, -rows % tile), (0, -columns % tile), (0, 0)]
        padded = np.pad(x, more)
        spectrum = np.einsum("ai,ijck,bj->abck", g_, w, g_).astype(dtype)
        y = np.zeros((batch, rows + more[1][1], columns + more[2][1], channels), dtype)
        side = tile + 2
        for top in range(0, rows, tile):
            for left in range(0, columns, tile):
                d = padded[:, top : top + side, left : left + side]
                data = np.einsum("ai,nijc,bj->nabc", b_t, d, b_t).astype(dtype)
                multiplied = np.einsum("nabc,abck->nabk", data, spectrum).astype(dtype)
                part = np.einsum("pa,nabk,qb->npqk", a_t, multiplied, a_t).astype(dtype)
                y[:, top : top + tile, left : left + tile] = part
        y = y[:, :rows, :columns]
        return y if tensors.bias is None else (y + tensors.bias).astype(dtype)

    return kernel


def fourier(conv: Convolution, tensors: Tensors) -> Array:
    """Multiply spectra in complex64, stride 1, one group."""
    x, w = tensors.input_nhwc, tensors.filter_hwio
    size = (x.shape[1] + w.shape[0], x.shape[2] + w.shape[1])
    spectrum = np.fft.rfft2(x, size, axes=(1, 2)).astype(np.complex64)
    weights = np.fft.rfft2(w[::-1, ::-1], size, axes=(0, 1)).astype(np.complex64)
    multiplied = np.einsum("nhwc,hwck->nhwk", spectrum, weights).astype(np.complex64)
    y = np.fft.irfft2(multiplied, size, axes=(1, 2)).astype(np.float32)
    kh, kw = conv.kernel
    y = y[:, kh - 1 : x.shape[1], kw - 1 : x.shape[2]]
    return y if tensors.bias is None else y + tensors.bias


def with_filter(change: Callable[[Array], Array], kernel: Kernel = direct) -> Kernel:
    """Return a kernel that gets its filter wrong (HWIO in, HWIO out)."""

    def wrong(conv: Convolution, tensors: Tensors) -> Array:
        changed = np.ascontiguousarray(change(tensors.filter_hwio))
        return kernel(conv, replace(tensors, filter_hwio=changed))

    return wrong


def with_input(change: Callable[[Array], Array]) -> Kernel:
    """Return a kernel that gets its input wrong (NHWC in, NHWC out)."""

    def wrong(conv: Convolution, tensors: Tensors) -> Array:
        changed = np.ascontiguousarray(change(tensors.input_nhwc))
        return direct(conv, replace(tensors, input_nhwc=changed))

    return wrong


def with_bias(times: float) -> Kernel:
    """Return a kernel that adds its bias so many times."""

    def wrong(conv: Convolution, tensors: Tensors) -> Array:
        assert tensors.bias is not None
        bias = (times * tensors.bias).astype(tensors.bias.dtype)
        return direct(conv, replace(tensors, bias=bias))

    return wrong


def with_tap(tap: int, channel: int, times: float) -> Kernel:
    """Return a kernel that counts one tap of one output channel so many times."""

    def change(w: Array) -> Array:
        changed = w.reshape(-1, w.shape[-1]).copy()
        changed[tap, channel] *= times
        return changed.reshape(w.shape)

    return with_filter(change)


def shifted(down: int, right: int) -> Kernel:
    """Return a kernel whose output is moved, with what is not there repeated from the edge."""

    def wrong(conv: Convolution, tensors: Tensors) -> Array:
        y = direct(conv, tensors)
        rows, columns = y.shape[1:3]
        down_ = np.clip(np.arange(rows) - down, 0, rows - 1)
        right_ = np.clip(np.arange(columns) - right, 0, columns - 1)
        return y[:, down_][:, :, right_]

    return wrong


def ignoring_dilation(conv: Convolution, tensors: Tensors) -> Array:
    """Sum undilated windows, cut to the shape that was asked for."""
    right = direct(conv, tensors).shape
    plain = conv._replace(dilations=(1, 1))
    return direct(plain, tensors)[:, : right[1], : right[2]]
