"""What each output position of a convolution sees, as a view of its input. Runs on Python 3.6."""

from typing import Any, Sequence, Tuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .axis import Laid


def windows(
    array: Any, laid: Sequence[Laid], outputs: Tuple[int, ...], kernel: Tuple[int, ...]
) -> Any:
    """Return (N, *outputs, *kernel, C) of an input (N, …, C), read-only; what is beside it is zero.

    laid: how its spatial axes are laid out for windows to step over them.
    """
    array = laid_out(array, laid)
    first = array[(slice(None),) + tuple(slice(axis.start, None) for axis in laid)]
    outward, inward = (), ()  # type: Tuple[int, ...], Tuple[int, ...]
    for axis, stride in zip(laid, array.strides[1:-1]):
        outward += (axis.step * stride,)
        inward += (axis.stride * stride,)
    shape = array.shape[:1] + outputs + kernel + array.shape[-1:]
    strides = array.strides[:1] + outward + inward + array.strides[-1:]
    return as_strided(first, shape, strides, writeable=False)


def laid_out(array: Any, laid: Sequence[Laid]) -> Any:
    """Return an input, (N, …, C), with zeros between its elements and at its ends."""
    if all(axis.is_cut_only for axis in laid):
        return array[(slice(None),) + tuple(map(_cut, laid))]
    shape = tuple(axis.whole for axis in laid)
    result = np.zeros(array.shape[:1] + shape + array.shape[-1:], array.dtype)
    to, of = [slice(None)], [slice(None)]
    for axis in laid:
        before, apart = axis.ends[0], axis.apart
        first = max(0, -(before // apart))  # the first input that is not cut off
        start = first * apart + before
        count = min(len(range(start, axis.whole, apart)), (axis.extent - 1) // apart + 1 - first)
        count = max(0, count)
        to.append(slice(start, start + count * apart, apart))
        of.append(slice(first, first + count))
    result[tuple(to)] = array[tuple(of)]
    return result


def _cut(axis: Laid) -> slice:
    before, after = axis.ends
    return slice(-before, axis.extent + after)
