"""How arrays lie in memory: modes that change strides and no value. Runs on Python 3.6.

A kernel is told of strides and may get them wrong, or read what lies between. There is NaN there.
"""

from typing import Any, Callable, Dict, NamedTuple, Sequence, Tuple

import numpy as np

BFLOAT16_NAN = 0x7FC0
"""The bits of NaN, where bfloat16 travels as uint16."""


class Laid(NamedTuple):
    """An array in an unusual place: a view of a C-contiguous buffer, and that buffer."""

    view: Any
    buffer: Any

    @property
    def strides(self) -> Tuple[int, ...]:
        """Strides of the view, in elements."""
        return tuple(stride // self.view.itemsize for stride in self.view.strides)

    @property
    def offset(self) -> int:
        """Where the view's first element is in the buffer, in elements."""
        first, start = (a.__array_interface__["data"][0] for a in (self.view, self.buffer))
        return int(first - start) // int(self.view.itemsize)


def _sliced(array: Any, axes: str) -> Laid:
    """Return every second column of a buffer that is twice as wide; the last axis has those."""
    axis = axes.find("W")
    buffer = _filled(array, axis, 2 * array.shape[axis])
    return _copied(array, buffer, axis, slice(0, None, 2))


def _channel_slice(array: Any, axes: str) -> Laid:
    """Return all but the first and the last channel of a buffer that has two more."""
    axis = axes.index("C" if "C" in axes else "I")
    buffer = _filled(array, axis, array.shape[axis] + 2)
    return _copied(array, buffer, axis, slice(1, -1))


def _permuted(array: Any, axes: str) -> Laid:
    """Return the array with its axes the other way round in memory, the last one outermost."""
    buffer = np.ascontiguousarray(array.transpose()).copy()
    return Laid(buffer.transpose(), buffer)


LAYOUTS: Dict[str, Callable[[Any, str], Laid]] = {
    "sliced": _sliced,
    "channel_slice": _channel_slice,
    "permuted": _permuted,
}

MODES = tuple("%s_%s" % (which, name) for which in ("input", "weights") for name in LAYOUTS)
"""Of any framework that takes strides: input_sliced, weights_permuted, …"""


def one_of(modes: Sequence[str], wanted: Sequence[str]) -> str:
    """Return which of these layouts of one array a device asks for, '' for none.

    Raises ValueError for two.
    """
    chosen = [mode for mode in wanted if mode in modes]
    if len(chosen) > 1:
        raise ValueError("%s and %s lay out one array; give one of them" % tuple(chosen[:2]))
    return chosen[0] if chosen else ""


def laid(array: Any, axes: str, mode: str) -> Laid:
    """Return a copy of an array as a mode of MODES has it. axes: NCHW, OIHW, NHWC or HWIO."""
    return LAYOUTS[mode.partition("_")[2]](array, axes)


def _filled(array: Any, axis: int, extent: int) -> Any:
    """Return a C-contiguous buffer of NaN, as the array but for one extent."""
    shape = list(array.shape)
    shape[axis] = extent
    value = BFLOAT16_NAN if array.dtype == np.uint16 else np.nan
    return np.full(shape, value, array.dtype)


def _copied(array: Any, buffer: Any, axis: int, cut: slice) -> Laid:
    """Copy an array to a part of a buffer along one axis."""
    index = [slice(None)] * array.ndim
    index[axis] = cut
    view = buffer[tuple(index)]
    view[...] = array
    return Laid(view, buffer)
