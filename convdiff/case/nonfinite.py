"""NaN and infinity in a case's data: whether there are any, and the data without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.numerics.array import Array
from convdiff.worker.framework import mapped, present


def is_finite(tensors: Tensors) -> bool:
    """Return whether a case's arrays hold neither NaN nor infinity."""
    given = present((tensors.filter_hwio, tensors.bias, tensors.input_nhwc, tensors.added))
    return all(bool(np.isfinite(array).all()) for array in given)


def cleaned(tensors: Tensors) -> Tensors:
    """Return the arrays with zeros for NaN and infinity; the same object where there are none."""
    if is_finite(tensors):
        return tensors
    bias, added = mapped(_zeroed, (tensors.bias, tensors.added))
    return replace(
        tensors,
        filter_hwio=_zeroed(tensors.filter_hwio),
        bias=bias,
        input_nhwc=_zeroed(tensors.input_nhwc),
        added=added,
    )


def _zeroed(array: Array) -> Array:
    return np.where(np.isfinite(array), array, array.dtype.type(0))
