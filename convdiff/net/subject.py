"""A net's arrays, made as a case's are."""

from __future__ import annotations

import math

import numpy as np

from convdiff.case.arrays import beyond_memory, make_array, make_input, numpy_dtype
from convdiff.case.model import ITEM_BYTES
from convdiff.case.net_model import NetCase
from convdiff.errors import CaseError, Place
from convdiff.lab.nets import Subject
from convdiff.worker.ops.net_shapes import shapes


def subject_of(case: NetCase) -> Subject:
    """Make a net's arrays. Raises CaseError for values that its dtype can't hold."""
    dtype = case.net.dtype
    batch, rows, length, channels = case.input_shape
    layers = shapes(case.net, rows, length, channels, case.net.depth)
    largest = max(rows * length * channels, *map(math.prod, layers.values()))
    beyond = beyond_memory(batch * largest * 4 * ITEM_BYTES[dtype])
    if beyond:
        raise CaseError(Place(case.file), f"too big: an activation of a run needs about {beyond}")
    data = make_input(case.input, dtype)[:batch, :, :length]
    arrays = {key: make_array(spec, dtype) for key, spec in case.arrays.items()}
    for key, one in (case.held or {}).items():
        arrays[key] = np.ascontiguousarray(one, numpy_dtype(dtype))
    return Subject(case.name, case.net, arrays, np.ascontiguousarray(data))
