"""Constants that a file computes of constants: small ones, as shapes are; weights stay as given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from convdiff.net.models.build import UnreadError
from convdiff.net.models.model import Array

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


def check_small(count: int) -> None:
    """Raise UnreadError for more elements than are computed."""
    if count > MOST:
        raise UnreadError(f"computes a constant of {count:,} elements; {MOST:,} are read at most")
