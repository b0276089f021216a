"""The known mistakes of a convolution, each with what it gives: the simplest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.exact import plain_fp64
from convdiff.compare.other_ops import other_results
from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution

Mistakes = Iterator[tuple[str, Array]]
"""Names, each with the wrong result in fp64, NHWC."""
MOST_CHANNELS = 32
"""Up to so many input channels, each is tried as the one that is left out."""


def mistakes(conv: Convolution, tensors: Tensors) -> Mistakes:
    """Yield named wrong convolutions of the same data, each with its result."""
    yield from _of_steps(conv, tensors)
    yield from _of_bias(conv, tensors)
    for name, weights in _filters(tensors.filter_hwio).items():
        yield name, plain_fp64(conv, replace(tensors, filter_hwio=np.ascontiguousarray(weights)))
    for name, x in _inputs(conv, tensors.input_nhwc):
        yield name, plain_fp64(conv, replace(tensors, input_nhwc=np.ascontiguousarray(x)))
    yield from _of_output(plain_fp64(conv, tensors))
    yield from other_results(conv, tensors)


def factors(conv: Convolution) -> Iterator[tuple[str, float]]:
    """Yield the constants that outputs are scaled by, of a forgotten or doubled normalisation."""
    yield "1/255", 1 / 255
    yield "255", 255.0
    yield "-1", -1.0
    counts = {"input channels": conv.channels_in, "taps": conv.taps}
    for what, number in counts.items():
        if number > 1:
            yield f"1/{number}, the number of {what}", 1 / number
            yield f"{number}, the number of {what}", float(number)


def _of_steps(conv: Convolution, tensors: Tensors) -> Mistakes:
    """Yield what comes of strides and dilations that are ignored or mixed up."""
    if conv.dilations != (1, 1):
        plain = plain_fp64(conv._replace(dilations=(1, 1)), tensors)
        yield "the dilation is ignored", plain
        height, length = tensors.input_nhwc.shape[1:3]
        _, rows, columns, _ = conv.output_shape(1, height, length)
        yield "the dilation is ignored, the output cut", plain[:, :rows, :columns]
    if conv.strides != (1, 1):
        yield "the strides are ignored", plain_fp64(conv._replace(strides=(1, 1)), tensors)
    for what, steps in (("stride", conv.strides), ("dilation", conv.dilations)):
        down, right = steps
        if down == right:
            continue
        both = {
            f"the height's {what} is used for both axes": (down, down),
            f"the width's {what} is used for both axes": (right, right),
            f"the {what}s of height and width are swapped": (right, down),
        }
        for name, mixed in both.items():
            change: dict[str, Any] = {f"{what}s": mixed}
            changed = conv._replace(**change)
            if min(changed.output_shape(1, *tensors.input_nhwc.shape[1:3])) > 0:
                yield name, plain_fp64(changed, tensors)


def _of_bias(conv: Convolution, tensors: Tensors) -> Mistakes:
    b = tensors.bias
    if b is None:
        return
    yield "the bias is missing", plain_fp64(conv, replace(tensors, bias=None))
    yield "the bias is added twice", plain_fp64(conv, replace(tensors, bias=b + b))
    half = np.asarray(b / np.asarray(2, b.dtype), b.dtype)
    yield "half of the bias is added", plain_fp64(conv, replace(tensors, bias=half))
    yield "the bias is subtracted", plain_fp64(conv, replace(tensors, bias=-b))


def _filters(w: Array) -> Mapping[str, Array]:
    """Return the filters, HWIO, that are taken for w."""
    changed = {
        "the filter is flipped (true convolution, not cross-correlation)": w[::-1, ::-1],
        "the filter is flipped along the height": w[::-1],
        "the filter is flipped along the width": w[:, ::-1],
        "the filter's input channels are reversed": w[:, :, ::-1],
        "the filter's output channels are reversed": w[..., ::-1],
        "the filter's memory is read as OIHW": w.reshape(
            w.shape[3], w.shape[2], w.shape[0], w.shape[1]
        ).transpose(2, 3, 1, 0),
    }
    if w.shape[0] == w.shape[1]:
        swapped = w.transpose(1, 0, 2, 3)
        changed["height and width of the filter are swapped"] = swapped
        changed["the filter is transposed and flipped"] = swapped[::-1, ::-1]
    if w.shape[2] == w.shape[3]:
        changed["input and output channels of the filter are swapped"] = w.transpose(0, 1, 3, 2)
    return changed


def _inputs(conv: Convolution, x: Array) -> Mistakes:
    """Yield the inputs, NHWC, that are taken for x."""
    batch, height, length, channels = x.shape
    mixed = x.reshape(batch, channels, height, length).transpose(0, 2, 3, 1)
    yield "the input's memory is read as NCHW", mixed
    if conv.strides != (1, 1):
        for down, right in ((1, 1), (0, 1), (1, 0)):
            yield f"the input is moved by ({down}, {right})", _moved(x, down, right)
            yield f"the input is moved by ({-down}, {-right})", _moved(x, -down, -right)
    if conv.groups > 1:
        own = channels // conv.groups
        yield "all groups read the first one's channels", np.tile(x[..., :own], conv.groups)
    elif channels > 1:
        yield "the input's channels are reversed", x[..., ::-1]
    if 1 < channels <= MOST_CHANNELS:
        for channel in range(channels):
            without = x.copy()
            without[..., channel] = 0
            yield f"input channel {channel} is left out", without


def _moved(x: Array, down: int, right: int) -> Array:
    """Return x, NHWC, padded with zeros at one end and cut at the other."""
    moved = np.zeros_like(x)
    height, length = x.shape[1:3]
    if height > abs(down) and length > abs(right):
        rows, columns = (
            slice(max(0, down), height + min(0, down)),
            slice(max(0, right), length + min(0, right)),
        )
        from_rows = slice(max(0, -down), height - max(0, down))
        from_columns = slice(max(0, -right), length - max(0, right))
        moved[:, rows, columns] = x[:, from_rows, from_columns]
    return moved


def _of_output(right: Array) -> Mistakes:
    """Yield what is done to the right result, NHWC."""
    batch, height, length, channels = right.shape
    yield "height and width of the output are swapped", right.transpose(0, 2, 1, 3)
    yield "the output's memory is NCHW", right.transpose(0, 3, 1, 2).reshape(right.shape)
    rows = right.reshape(batch, channels, height, length)
    yield "the output's memory is read as NCHW", rows.transpose(0, 2, 3, 1)
    yield "the output's channels are reversed", right[..., ::-1]
    yield "an activation is fused in: relu", np.maximum(right, 0)
    yield "an activation is fused in: relu6", np.clip(right, 0, 6)
    yield "the absolute value is taken", np.abs(right)
