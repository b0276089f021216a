"""What a kernel may compute instead of a VALID convolution: padded and transposed ones.

Each has its output's shape and, in fp64, its result: what a kernel computes is told by its numbers;
a shape alone only says whose shape it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.exact import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution

Extents = tuple[int, int]
Pads = tuple[Extents, Extents]
"""((top, bottom), (left, right)); a negative one cuts."""
Shape = tuple[int, ...]


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


def other_results(conv: Convolution, tensors: Tensors) -> Iterator[tuple[str, Array]]:
    """Yield named convolutions of the same data that are not VALID, each with its fp64 result."""
    x = tensors.input_nhwc
    extents = (x.shape[1], x.shape[2])
    done: set[Pads] = {((0, 0), (0, 0))}
    for owner, pads in PADDINGS.items():
        around = pads(conv, extents)
        if around not in done:
            done.add(around)
            padded = replace(tensors, input_nhwc=_pad(x, around))
            yield f"the padding is {owner}{_written(around)}", plain_fp64(conv, padded)
    if conv.groups == 1:
        yield from _transposed(conv, tensors)


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


def _transposed(conv: Convolution, tensors: Tensors) -> Iterator[tuple[str, Array]]:
    """Yield transposed convolutions, HWIO as (kh, kw, from, to), with the filter both ways.

    Each input adds its multiple of the filter to the output (Dumoulin and Visin, "A guide to
    convolution arithmetic for deep learning", 2016): a plain convolution of the input with zeros
    between its elements, by the flipped filter.
    """
    x, w = tensors.input_nhwc, tensors.filter_hwio
    (sh, sw), (rows, columns) = conv.strides, conv.reach
    extents = (x.shape[1], x.shape[2])
    apart = np.zeros(
        (x.shape[0], (extents[0] - 1) * sh + 1, (extents[1] - 1) * sw + 1, x.shape[3]), x.dtype
    )
    apart[:, ::sh, ::sw] = x
    plain = conv._replace(strides=(1, 1))
    for flipped, weights in (("", w[::-1, ::-1]), (", its filter flipped in both axes", w)):
        filled = Tensors(
            np.ascontiguousarray(weights),
            tensors.bias,
            _pad(apart, ((rows - 1, rows - 1), (columns - 1, columns - 1))),
        )
        whole = plain_fp64(plain, filled)
        yield f"a transposed convolution{flipped}", whole
        wanted = _times_stride(extents, conv)
        if wanted != whole.shape[1:3]:
            cut = _pad(filled.input_nhwc, _centred(wanted, whole.shape[1:3]))
            yield (
                f"a transposed SAME convolution{flipped}",
                plain_fp64(plain, replace(filled, input_nhwc=cut)),
            )


def _centred(wanted: Sequence[int], whole: Sequence[int]) -> Pads:
    """Return what to add at both ends to have the wanted extents; an odd one is cut at the end."""
    low, high = [], []
    for want, have in zip(wanted, whole, strict=True):
        start = max(0, have - want) // 2
        low.append(-start)
        high.append(want - have + start)
    return (low[0], high[0]), (low[1], high[1])
