"""What a kernel may compute instead of a VALID convolution: padded and transposed ones.

Each has its output's shape and, in fp64, its result: what a kernel computes is told by its numbers;
a shape alone only says whose shape it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution

Extents = tuple[int, int]
Pads = tuple[Extents, Extents]
"""((top, bottom), (left, right)); a negative one cuts."""
Shape = tuple[int, ...]
Result = Callable[[Tensors], Array]


def shape_owners(conv: Convolution, shape_nhwc: Shape, observed: Shape) -> list[str]:
    """Return whose output shape `observed` is, for an input of shape_nhwc; [] if nobody's."""
    batch, height, length, _ = shape_nhwc
    plain = conv.output_shape(batch, height, length)
    owners = {
        owner: _padded_shape(conv, shape_nhwc, pads(conv, (height, length)))
        for owner, pads in PADDINGS.items()
    }
    if conv.groups == 1:
        owners |= {
            owner: (batch, *extents((height, length), conv), conv.channels_out)
            for owner, extents in TRANSPOSED.items()
        }
    owners |= {
        "NCHW": (batch, plain[3], plain[1], plain[2]),
        "the swapped height and width": (batch, plain[2], plain[1], plain[3]),
        "stride 1": conv._replace(strides=(1, 1)).output_shape(batch, height, length),
        "dilation 1": conv._replace(dilations=(1, 1)).output_shape(batch, height, length),
    }
    return [owner for owner, shape in owners.items() if shape == tuple(observed)]


def other_ops(conv: Convolution, shape_nhwc: Shape) -> Iterator[tuple[str, Result]]:
    """Yield named convolutions that are not VALID, for inputs of this shape, each with its result.

    A result is a function from tensors to the output, NHWC in fp64.
    """
    extents = (shape_nhwc[1], shape_nhwc[2])
    done: set[Pads] = {((0, 0), (0, 0))}
    for owner, pads in PADDINGS.items():
        around = pads(conv, extents)
        if around not in done:
            done.add(around)
            yield f"the padding is {owner}{_written(around)}", partial(_padded, conv, around)
    if conv.groups == 1:
        yield from _transposed(conv, extents)


def _padded(conv: Convolution, pads: Pads, tensors: Tensors) -> Array:
    return plain_fp64(conv, replace(tensors, input_nhwc=_pad(tensors.input_nhwc, pads)))


def _same(conv: Convolution, extents: Extents) -> tuple[Extents, Extents]:
    """Return SAME's zeros in all along each axis, as (the smaller half, the larger half).

    The output has ⌈n / stride⌉ elements (TensorFlow's rule; an odd zero goes to the end).
    """
    halves = []
    for n, stride, reach in zip(extents, conv.strides, conv.reach, strict=True):
        total = max(0, (-(-n // stride) - 1) * stride + reach - n)
        halves.append((total // 2, total - total // 2))
    return halves[0], halves[1]


def _same_lower(conv: Convolution, extents: Extents) -> Pads:
    (top, bottom), (left, right) = _same(conv, extents)
    return (bottom, top), (right, left)


def _half(conv: Convolution, extents: Extents) -> Pads:
    """Return half of the filter at both ends, whatever the stride: PyTorch's padding=k // 2."""
    rows, columns = conv.reach
    return (rows // 2, rows // 2), (columns // 2, columns // 2)


def _full(conv: Convolution, extents: Extents) -> Pads:
    rows, columns = conv.reach
    return (rows - 1, rows - 1), (columns - 1, columns - 1)


PADDINGS: Mapping[str, Callable[[Convolution, Extents], Pads]] = {
    "SAME": _same,
    "SAME_LOWER": _same_lower,
    "full": _full,
    "half of the filter": _half,
}
"""The paddings that have a name, each with its zeros."""


def _written(pads: Pads) -> str:
    (top, bottom), (left, right) = pads
    return f" (zeros: {top} above, {bottom} below, {left} left, {right} right)"


def _padded_shape(conv: Convolution, shape: Shape, pads: Pads) -> Shape:
    batch, height, length, _ = shape
    return conv.output_shape(batch, height + sum(pads[0]), length + sum(pads[1]))


def _pad(x: Array, pads: Pads) -> Array:
    """Return x, NHWC, with zeros around it, or cut where a number is negative."""
    cuts = [slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(pads, x.shape[1:3], strict=True)]
    zeros = [(max(0, a), max(0, b)) for a, b in pads]
    return np.pad(x[:, cuts[0], cuts[1]], ((0, 0), *zeros, (0, 0)))


def _whole(extents: Extents, conv: Convolution) -> Extents:
    """Return the extents of a transposed convolution's output: (n − 1) · stride + reach."""
    rows, columns = (
        (n - 1) * s + r for n, s, r in zip(extents, conv.strides, conv.reach, strict=True)
    )
    return rows, columns


def _times_stride(extents: Extents, conv: Convolution) -> Extents:
    """Return the extents of a transposed convolution that undoes a SAME one: n · stride."""
    return extents[0] * conv.strides[0], extents[1] * conv.strides[1]


TRANSPOSED: Mapping[str, Callable[[Extents, Convolution], Extents]] = {
    "a transposed convolution": _whole,
    "a transposed SAME convolution": _times_stride,
}


def _transposed(conv: Convolution, extents: Extents) -> Iterator[tuple[str, Result]]:
    """Yield transposed convolutions, HWIO as (kh, kw, from, to), with the filter both ways."""
    whole, same = _whole(extents, conv), _times_stride(extents, conv)
    for flipped in (False, True):
        suffix = ", its filter flipped in both axes" if flipped else ""
        name = f"a transposed convolution{suffix}"
        yield name, partial(_scattered, conv, ((0, 0), (0, 0)), flipped)
        if same != whole:
            name = f"a transposed SAME convolution{suffix}"
            yield name, partial(_scattered, conv, _centred(same, whole), flipped)


def _scattered(conv: Convolution, cut: Pads, flipped: bool, tensors: Tensors) -> Array:
    """Return a transposed convolution of which the ends are cut, or filled with zeros.

    Each input adds its multiple of the filter to the output (Dumoulin and Visin, "A guide to
    convolution arithmetic for deep learning", 2016): a plain convolution of the input with zeros
    between its elements, by the flipped filter.
    """
    x, w = tensors.input_nhwc, tensors.filter_hwio
    (sh, sw), (rows, columns) = conv.strides, conv.reach
    height, length = ((n - 1) * s + 1 for n, s in zip(x.shape[1:3], (sh, sw), strict=True))
    apart = np.zeros((x.shape[0], height, length, x.shape[3]), x.dtype)
    apart[:, ::sh, ::sw] = x
    apart = _pad(_pad(apart, ((rows - 1, rows - 1), (columns - 1, columns - 1))), cut)
    weights = np.ascontiguousarray(w if flipped else w[::-1, ::-1])
    return plain_fp64(conv._replace(strides=(1, 1)), Tensors(weights, tensors.bias, apart))


def _centred(wanted: Sequence[int], whole: Sequence[int]) -> Pads:
    """Return what to add at both ends to have the wanted extents; an odd one is cut at the end."""
    low, high = [], []
    for want, have in zip(wanted, whole, strict=True):
        start = max(0, have - want) // 2
        low.append(-start)
        high.append(want - have + start)
    return (low[0], high[0]), (low[1], high[1])
