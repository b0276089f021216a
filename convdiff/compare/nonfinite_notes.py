"""What is said beforehand of data with NaN or infinity: how many, and what must come of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.compare.ieee import FINITE, MINUS, NAN, PLUS
from convdiff.compare.reference import Reference

NAMES = ((NAN, "NaN"), (PLUS, "inf"), (MINUS, "-inf"))


def nonfinite_notes(reference: Reference) -> Iterator[str]:
    """Say how many values of which arrays are not finite, and how many outputs they reach."""
    if reference.kinds is None:
        return
    tensors = reference.tensors
    arrays = (
        ("filter", tensors.filter_hwio),
        ("bias", tensors.bias),
        ("input", tensors.input_nhwc),
        ("added", tensors.added),
    )
    values = []
    for name, array in arrays:
        count = 0 if array is None else array.size - int(np.isfinite(array).sum())
        if array is not None and count:
            values.append(f"{count:,} of {array.size:,} {name} values")
    outputs = []
    for kind, name in NAMES:
        count = int(np.count_nonzero(reference.kinds == kind))
        if count:
            outputs.append(f"{count:,} {name}")
    verb = "is" if len(values) == 1 and values[0].startswith("1 of") else "are"
    said = f"{' and '.join(values)} {verb} NaN or infinite"
    if not outputs:
        yield f"{said}, and in no output's window"
        return
    untouched = reference.untouched(reference.shape)
    more = int(np.count_nonzero((reference.kinds == FINITE) & ~untouched))  # type: ignore[operator]
    others = f"{more:,} more may where padding is multiplied" if more else "no others"
    yield f"{said}: {', '.join(outputs)} of {reference.kinds.size:,} outputs must be so, {others}"
