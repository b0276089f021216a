"""What is said beforehand of data with NaN or infinity: how many, and what must come of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.words import one_or_many
from convdiff.compare.ieee import FINITE, MINUS, NAN, PLUS
from convdiff.compare.reference import Reference

NAMES = ((NAN, "NaN"), (PLUS, "inf"), (MINUS, "-inf"))


def nonfinite_notes(reference: Reference) -> Iterator[str]:
    """Say how many values of which arrays are not finite, and how many outputs they reach."""
    if reference.kinds is None:
        return
    counts = list(_counts(reference.tensors))
    values = [f"{count:,} of {size:,} {name} values" for name, count, size in counts]
    outputs = []
    for kind, name in NAMES:
        count = int(np.count_nonzero(reference.kinds == kind))
        if count:
            outputs.append(f"{count:,} {name}")
    verb = one_or_many(sum(count for _, count, _ in counts), "is", "are")
    which = f"{' and '.join(values)} {verb} NaN or infinite"
    if not outputs:
        yield f"{which}, and in no output's window"
        return
    whole = tuple(slice(0, extent) for extent in reference.shape)
    strict, _, padded = reference.kinds_in(whole)
    more = int(np.count_nonzero((strict == FINITE) & (padded != FINITE)))
    others = f"{more:,} more may where padding is multiplied" if more else "no others"
    yield f"{which}: {', '.join(outputs)} of {reference.kinds.size:,} outputs must be so, {others}"


def _counts(tensors: Tensors) -> Iterator[tuple[str, int, int]]:
    """Yield how many values of each array are not finite, where some are: its name, they, all."""
    arrays = (
        ("filter", tensors.filter_hwio),
        ("bias", tensors.bias),
        ("input", tensors.input_nhwc),
        ("added", tensors.added),
    )
    for name, array in arrays:
        count = 0 if array is None else array.size - int(np.isfinite(array).sum())
        if array is not None and count:
            yield name, count, array.size
