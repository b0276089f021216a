"""Which given values the dtype of a case can't hold: how many, and by how much."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.case.arrays import Tensors, make_array, make_input
from convdiff.case.model import ArraySpec, Case
from convdiff.case.words import one_or_many
from convdiff.numerics.array import Array

CHOSEN = ("values", "integers", "ramp")
"""Kinds whose whole numbers someone chose. A decimal fraction is rounded by any binary format, and
of what is drawn nobody knows the digits."""

MAKES = {"input": make_input, "added": make_input}
"""What makes an array, where it is not `make_array`."""


def rounding_notes(case: Case, tensors: Tensors) -> Iterator[str]:
    """Say of each array of a case which of its values are rounded to the case's dtype.

    Values of files count, and whole numbers; `tensors` holds the arrays as they are rounded.
    """
    arrays = (
        ("filter", case.filter, tensors.filter_hwio),
        ("bias", case.bias, tensors.bias),
        ("input", case.input, tensors.input_nhwc),
        ("added", case.added, tensors.added),
    )
    for name, spec, held in arrays:
        if spec is None or held is None or not _is_given(spec):
            continue
        given = MAKES.get(name, make_array)(spec, "float64")
        given = given[tuple(slice(0, extent) for extent in held.shape)]  # as much as is run
        with np.errstate(invalid="ignore"):  # what is not finite is not rounded
            change = np.abs(held.astype(np.float64) - given)
        if spec.kind != "file":
            change = change[given == np.rint(given)]
        change = change[change > 0]
        if change.size:
            yield _sentence(name, spec, given.size, change, case.conv.dtype)


def _is_given(spec: ArraySpec) -> bool:
    return spec.kind == "file" or spec.kind in CHOSEN


def _sentence(name: str, spec: ArraySpec, size: int, change: Array, dtype: str) -> str:
    """Say how many values are rounded. change: (k,) how far each is off, in fp64, none of it 0."""
    origin = f" ({spec.file.name})" if spec.file else ""
    verb = one_or_many(change.size, "is", "are")
    most = float(change.max())
    if change.min() < most:
        by = f"by at most {most:.3g}"
    elif change.size > 1:
        by = f"each by {most:.3g}"
    else:
        by = f"by {most:.3g}"
    return f"{change.size:,} of {size:,} {name} values{origin} {verb} rounded to {dtype}, {by}"
