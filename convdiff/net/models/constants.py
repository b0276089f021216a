"""Constants that a file computes of constants: small ones, as shapes are; weights stay as given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from convdiff.net.models.model import Array, UnreadError

MOST = 10**6
"""Elements of a constant that is computed."""

FOLDED: Mapping[str, Callable[..., Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": lambda a, b: a // b if a.dtype.kind in "iu" else a / b,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def folded(function: Callable[..., Array], operands: Sequence[Array]) -> Array:
    """Return what a function of two arrays makes of all. Raises UnreadError for a large one."""
    shape = np.broadcast_shapes(*(array.shape for array in operands))
    check_small(math.prod(shape))
    result = operands[0]
    with np.errstate(all="ignore"):
        for array in operands[1:]:
            result = function(result, array)
    return result


def packed(constants: Sequence[Array], axis: int = 0) -> Array:
    """Return constants behind each other along a new axis. Raises UnreadError for large ones."""
    check_small(sum(array.size for array in constants))
    return np.stack(constants, axis)


def sliced(
    value: Array, bounds: Sequence[Array], *, opens: bool, ends: bool, shrinks: bool
) -> Array:
    """Return a part of a shape. Raises UnreadError for what has more axes.

    bounds: its start, stop and step, an element each; opens, ends: whether it begins or ends with
    the shape; shrinks: whether it is the one number at its start.
    """
    begin, end, step = bounds
    if value.ndim != 1 or begin.size != 1:
        raise UnreadError("slices more than a shape")
    if shrinks:
        return value[int(begin[0])]
    first = None if opens else int(begin[0])
    last = None if ends else int(end[0])
    return value[first : last : int(step[0])]


def check_small(count: int) -> None:
    """Raise UnreadError for more elements than are computed."""
    if count > MOST:
        raise UnreadError(f"computes a constant of {count:,} elements; {MOST:,} are read at most")
