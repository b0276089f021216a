"""Kernels that keep fewer bits in one place or another, or lie on steps: each says where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from kernels import (
    Kernel,
    direct,
    products,
    rounded_inputs,
    rounded_output,
    with_filter,
    with_input,
)

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.fp64 import plain_fp64
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
Rounding = Callable[[Array], Array]


def summing(to: Rounding, order: Callable[[int], Any] = range) -> Kernel:
    """Return a kernel whose products and sums are rounded so, one after the other."""

    def kernel(conv: Convolution, tensors: Tensors) -> Array:
        dtype = numpy_dtype(conv.dtype)
        terms = products(conv, tensors, np.float64)
        total = np.zeros((*terms.shape[:3], conv.channels_out), dtype)
        for tap in order(conv.taps):
            with np.errstate(invalid="ignore"):  # fp16 overflows where a probe asks for more
                product = to(terms[..., tap, :].astype(dtype))
                total = to((total + product).astype(dtype))
        if tensors.bias is not None:
            total = to((total + tensors.bias).astype(dtype))
        return total

    return kernel


def in_blocks(to: Rounding, size: int) -> Kernel:
    """Return a kernel that sums so many taps in fp32, and rounds the total after each block."""

    def kernel(conv: Convolution, tensors: Tensors) -> Array:
        dtype = numpy_dtype(conv.dtype)
        terms = products(conv, tensors, np.float32)
        total = np.zeros((*terms.shape[:3], conv.channels_out), np.float32)
        for start in range(0, conv.taps, size):
            for tap in range(start, min(start + size, conv.taps)):
                total = total + terms[..., tap, :]
            with np.errstate(invalid="ignore"):
                total = to(total)
        if tensors.bias is not None:
            total = total + tensors.bias.astype(np.float32)
        return total.astype(dtype)

    return kernel


def rounded_before_bias(to: Rounding) -> Kernel:
    """Return a kernel that stores its sums in fewer bits, and then adds the bias."""

    def kernel(conv: Convolution, tensors: Tensors) -> Array:
        total = to(direct(conv, replace(tensors, bias=None)))
        return total if tensors.bias is None else (total + tensors.bias).astype(total.dtype)

    return kernel


def rounded_before_bias_and_after(to: Rounding) -> Kernel:
    """Return a kernel that stores its sums in fewer bits, and what the bias makes of them too."""
    before = rounded_before_bias(to)
    return lambda conv, tensors: to(before(conv, tensors))


def summing_and_storing(sums: Rounding, output: Rounding) -> Kernel:
    """Return a kernel that sums in some bits, and stores its result in fewer."""
    narrow = summing(sums)
    return lambda conv, tensors: output(narrow(conv, tensors))


PLACES: dict[str, Callable[[Rounding], Kernel]] = {
    "input": with_input,
    "weight": with_filter,
    "input and weight": rounded_inputs,
    "sums": summing,
    "output": rounded_output,
    "before the bias": rounded_before_bias,
    "before and after": rounded_before_bias_and_after,
}


def symmetric(axes: tuple[int, ...] | None, count: float = 127.0) -> Rounding:
    """Return the rounding to ±127 steps of the largest number along these axes."""

    def to(values: Array) -> Array:
        wide = values.astype(np.float64)
        scale = np.abs(wide).max(axis=axes, keepdims=True) / count
        scale = np.where(scale > 0, scale, 1.0)
        low = -127 if count == 127 else -128
        return np.clip(np.rint(wide / scale), low, 127) * scale

    return to


def affine(axes: tuple[int, ...] | None) -> Rounding:
    """Return the rounding to 256 steps from the least to the largest number, 0 among them."""

    def to(values: Array) -> Array:
        wide = values.astype(np.float64)
        low = np.minimum(wide.min(axis=axes, keepdims=True), 0)
        high = np.maximum(wide.max(axis=axes, keepdims=True), 0)
        scale = np.where(high > low, (high - low) / 255, 1.0)
        zero = np.clip(np.rint(-low / scale), 0, 255)
        return (np.clip(np.rint(wide / scale) + zero, 0, 255) - zero) * scale

    return to


@np.errstate(all="ignore")
def like_tflite(conv: Convolution, tensors: Tensors) -> Array:
    """Quantise weights by channel and inputs dynamically, and scale by fp32, as hybrid kernels do.

    Scales that are rounded leave nothing exact, and so look like much else.
    """
    x, w = tensors.input_nhwc, tensors.filter_hwio
    one = np.float32(1)
    w_scale = np.abs(w).max(axis=(0, 1, 2)) / np.float32(127)
    w_scale = np.where(w_scale > 0, w_scale, one).astype(np.float32)
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    x_scale = (high - low) / np.float32(255) if high > low else one
    zero = np.rint(np.float32(-128) - low / x_scale)
    whole_x = np.clip(np.rint(x * (one / x_scale)) + zero, -128, 127) - zero
    changed = Tensors(np.rint(w / w_scale).astype(np.float64), None, whole_x.astype(np.float64))
    sums = direct(conv._replace(dtype="float64"), changed).astype(np.float32)
    y = sums * (w_scale * x_scale)
    return (y if tensors.bias is None else y + tensors.bias).astype(np.float32)


def quantising(
    weights: Rounding | None, inputs: Rounding | None, kernel: Kernel = direct
) -> Kernel:
    """Return a kernel that quantises, multiplies exactly, and scales its sums in fp32."""

    def quantised(conv: Convolution, tensors: Tensors) -> Array:
        x, w = tensors.input_nhwc, tensors.filter_hwio
        changed = Tensors(
            weights(w) if weights else w.astype(np.float64),
            None if tensors.bias is None else tensors.bias.astype(np.float64),
            inputs(x) if inputs else x.astype(np.float64),
        )
        dtype = numpy_dtype(conv.dtype)
        return kernel(conv._replace(dtype="float64"), changed).astype(dtype)

    return quantised


def storing(to: Callable[[Array], Rounding], kernel: Kernel) -> Kernel:
    """Return a kernel whose outputs are rounded in a way that is calibrated to the exact ones."""

    def stored(conv: Convolution, tensors: Tensors) -> Array:
        y = kernel(conv, tensors)
        return to(plain_fp64(conv, tensors))(y.astype(np.float64)).astype(y.dtype)

    return stored


def on_range_of(calibrated: Array) -> Rounding:
    """Return the rounding to 256 steps from the least to the largest of these, 0 among them."""
    low, high = min(float(calibrated.min()), 0.0), max(float(calibrated.max()), 0.0)
    scale = (high - low) / 255 or 1.0
    zero = np.rint(-low / scale)
    return lambda y: (np.clip(np.rint(y / scale) + zero, 0, 255) - zero) * scale
