"""Convolutions in fp64 by matrix products: plain sums, and how large their terms are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.numerics.array import Array
from convdiff.numerics.blocks import blocks
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import clamped

FEW = 512
"""Weights of which all are multiplied: to look for zeros among them takes longer."""


@dataclass(frozen=True)
class Scales:
    """How large the terms of each output are, bias included; fp64, NHWC."""

    absolute: Array
    """A = Σ|x·w| + |b|, and what a step adds"""
    euclidean: Array
    """L2 = √(Σ(x·w)² + b²), likewise"""


@np.errstate(over="ignore", invalid="ignore")
def scales(conv: Convolution, tensors: Tensors) -> Scales:
    """Return A and L2 of every output by fp64 matrix products; good to about 1e-13."""
    squares = convolved(conv, _wide(tensors.input_nhwc) ** 2, _wide(tensors.filter_hwio) ** 2)
    if tensors.bias is not None:
        squares = squares + _wide(tensors.bias) ** 2
    added = addend(conv, tensors)
    if added is not None:
        squares = squares + added**2
    return Scales(absolute_fp64(conv, tensors), np.sqrt(squares))


def absolute_fp64(conv: Convolution, tensors: Tensors) -> Array:
    """Return the sum of the terms' sizes of every output, fp64, NHWC."""
    result = convolved(conv, np.abs(_wide(tensors.input_nhwc)), np.abs(_wide(tensors.filter_hwio)))
    if tensors.bias is not None:
        result = result + np.abs(_wide(tensors.bias))
    added = addend(conv, tensors)
    return result if added is None else result + np.abs(added)


def plain_fp64(conv: Convolution, tensors: Tensors) -> Array:
    """Return the convolution and its step in fp64, NHWC: exact for small integers, for probes."""
    return np.asarray(clamped(conv.then, sums_fp64(conv, tensors)))


def sums_fp64(conv: Convolution, tensors: Tensors) -> Array:
    """Return the same before a step that keeps them between limits."""
    result = convolved(conv, _wide(tensors.input_nhwc), _wide(tensors.filter_hwio))
    result = result if tensors.bias is None else result + _wide(tensors.bias)
    added = addend(conv, tensors)
    return result if added is None else result + added


def addend(conv: Convolution, tensors: Tensors) -> Array | None:
    """Return what the step adds to an output, in fp64; it broadcasts. None where it adds none."""
    if conv.then != "add" or tensors.added is None:
        return None
    return _wide(conv.addend(tensors.added, tensors.input_nhwc.shape))


def whole_addend(conv: Convolution, tensors: Tensors) -> Array | None:
    """Return the same in the shape of the output, a view."""
    added = addend(conv, tensors)
    if added is None:
        return None
    return np.broadcast_to(added, conv.output_shape(*tensors.input_nhwc.shape[:3]))


def convolved(conv: Convolution, input_nhwc: Array, filter_hwio: Array) -> Array:
    """Convolve in fp64, image by image, a block of positions at a time.

    Taps whose weights are all zero cost nothing, unless NaN or infinity may meet them.
    """
    view = np.asarray(conv.windows(input_nhwc))
    width, per_group = conv.channels_in // conv.groups, conv.channels_out // conv.groups
    result = np.empty((*view.shape[:3], conv.channels_out))
    for group in range(conv.groups):
        outs = slice(group * per_group, (group + 1) * per_group)
        taps = filter_hwio[..., outs].reshape(conv.taps, per_group)
        kept = _taps_that_count(taps, input_nhwc)
        for image in range(len(view)):
            for rows, columns in blocks(view.shape[1:3], max(1, (1 << 23) // max(1, len(kept)))):
                field = view[image, rows, columns, ..., group * width : (group + 1) * width]
                block = _table(field, kept) @ taps[kept]
                result[image, rows, columns, outs] = block.reshape(*field.shape[:2], per_group)
    return result


def _taps_that_count(taps: Array, input_nhwc: Array) -> Array:
    """Return the taps of (taps, O) weights that can change a sum: all, unless most are zero."""
    if taps.size <= FEW:
        return np.arange(len(taps))
    kept = np.flatnonzero(taps.any(axis=1))
    if 2 * len(kept) > len(taps) or not np.isfinite(input_nhwc).all():
        return np.arange(len(taps))
    return kept


def _table(field: Array, kept: Array) -> Array:
    """Return what some taps see of a (rows, columns, kh, kw, C) field: (rows · columns, kept)."""
    rows, columns, *taps = field.shape
    if len(kept) < math.prod(taps):
        i, j, c = np.unravel_index(kept, taps)
        field = field[:, :, i, j, c]
    return np.ascontiguousarray(field).reshape(rows * columns, len(kept))


def _wide(array: Array) -> Array:
    return array.astype(np.float64)
