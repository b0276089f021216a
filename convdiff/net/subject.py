"""A net's arrays, made as a case's are."""

from __future__ import annotations

import numpy as np

from convdiff.case.arrays import make_array, make_input, numpy_dtype
from convdiff.case.net_model import NetCase
from convdiff.lab.nets import Subject


def subject_of(case: NetCase) -> Subject:
    """Make a net's arrays. Raises CaseError for values that its dtype can't hold."""
    dtype = case.net.dtype
    batch, _, length, _ = case.input_shape
    data = make_input(case.input, dtype)[:batch, :, :length]
    arrays = {key: make_array(spec, dtype) for key, spec in case.arrays.items()}
    for key, one in (case.held or {}).items():
        arrays[key] = np.ascontiguousarray(one, numpy_dtype(dtype))
    return Subject(case.name, case.net, arrays, np.ascontiguousarray(data))
