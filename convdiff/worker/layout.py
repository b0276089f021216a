"""Layouts of other frameworks: what arrives is N…C and …IO. Runs on Python 3.6."""

from typing import Any, Iterable, List, Sequence, Tuple

import numpy as np


def nchw(array_nhwc: Any) -> Any:
    """Return (N, …, C) data as contiguous (N, C, …)."""
    last = array_nhwc.ndim - 1
    return _canonical(array_nhwc.transpose(0, last, *range(1, last)))


def nhwc(array_nchw: Any) -> Any:
    """Return (N, C, …) data as contiguous (N, …, C)."""
    return np.ascontiguousarray(array_nchw.transpose(0, *range(2, array_nchw.ndim), 1))


def oihw(filter_hwio: Any) -> Any:
    """Return a filter (…, cin / groups, cout) as contiguous (cout, cin / groups, …)."""
    last = filter_hwio.ndim - 1
    return _canonical(filter_hwio.transpose(last, last - 1, *range(last - 1)))


def iohw(filter_hwio: Any, groups: int) -> Any:
    """Return a filter (…, cin / groups, cout) as contiguous (cin, cout / groups, …).

    That is how a transposed convolution's is laid out: group after group along cin.
    """
    kernel, (width, channels_out) = filter_hwio.shape[:-2], filter_hwio.shape[-2:]
    lanes = channels_out // groups
    apart = filter_hwio.reshape(kernel + (width, groups, lanes))
    first = np.moveaxis(apart, (-2, -3, -1), (0, 1, 2))
    return _canonical(first.reshape((groups * width, lanes) + kernel))


def cropped(array_nhwc: Any, pads: Sequence[Tuple[int, int]]) -> Tuple[Any, List[Tuple[int, int]]]:
    """Return (N, …, C) data without what negative pads cut off, and the pads that are left.

    pads: (before, after) of each axis between N and C. No framework pads by a negative number.
    """
    kept = tuple(slice(max(0, -before), min(0, after) or None) for before, after in pads)
    return array_nhwc[(slice(None),) + kept], added(pads)


def added(pads: Iterable[Tuple[int, int]]) -> List[Tuple[int, int]]:
    """Return what pads add, with nothing for those that cut."""
    return [(max(0, before), max(0, after)) for before, after in pads]


def last_axis_first(pads: Sequence[Tuple[int, int]]) -> Tuple[int, ...]:
    """Return (before, after) of each axis as PyTorch's F.pad takes them."""
    numbers = []  # type: List[int]
    for pair in reversed(pads):
        numbers.extend(pair)
    return tuple(numbers)


def bits(array: Any, dtype: str) -> Any:
    """Return a framework's array as it travels: C-contiguous, bfloat16 as uint16."""
    array = np.ascontiguousarray(array)
    return array.view(np.uint16) if dtype == "bfloat16" else array


def _canonical(array: Any) -> Any:
    """Return a contiguous copy with the strides of its shape.

    To NumPy an array of one channel is contiguous whatever the channel's stride, and
    ascontiguousarray keeps it; PyTorch tells memory formats by it.
    """
    return np.array(array, order="C", copy=True)
