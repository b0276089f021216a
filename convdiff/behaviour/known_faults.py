"""What a wrong result on the case's own data looks like, where rounding is in the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from convdiff.behaviour.guesses import (
    Guess,
    Started,
    of_other_ops,
    of_shifts,
    of_table,
    open_shifts,
)
from convdiff.behaviour.lost_taps import lost_taps
from convdiff.case.arrays import Tensors
from convdiff.compare.bounds import screen
from convdiff.compare.fp64 import Scales, plain_fp64, scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.convolution import Convolution

CLEAR, CHANCE = 8.0, 1e-3
"""What a mistake changes is so many times what rounding allows, and so unlikely by chance."""
GUESSES = 200.0
"""Guesses that are made at the most, beside two for each tap."""
ORDER = 1e-12
"""What the order of fp64 sums changes, of the largest output, at the most."""
ALIKE = 4
"""Names that are said where they are one thing at this size."""


def fit_data(conv: Convolution, tensors: Tensors, output: Array) -> str | None:
    """Name the mistake whose result on the case's own data lies within the screen, or None.

    It must change the outputs that are off by far more than rounding can, and so many of them that
    none of all guesses would fit by chance.
    """
    observed, right = output.astype(np.float64), plain_fp64(conv, tensors)
    if output.ndim != 4 or not np.isfinite(observed).all():
        return None
    limit = _limit(conv, tensors, right, observed)
    if observed.shape == right.shape and (np.abs(observed - right) <= limit).all():
        return None
    started = Started(conv)

    def fitting(guesses: Iterable[Guess]) -> dict[str, Array]:
        fitted = {}
        for guess in guesses:
            expected = guess.result(tensors)
            if expected is not None and _is_explained(conv, right, observed, expected, limit):
                fitted[guess.name] = expected
        return fitted

    fitted = fitting(_guesses(conv, tensors, right, observed, limit, started))
    if not fitted and observed.shape == right.shape:
        fitted = fitting(open_shifts(conv, tensors, started))
    return " or ".join(fitted) if 0 < len(fitted) <= ALIKE and _are_alike(fitted) else None


def _limit(conv: Convolution, tensors: Tensors, right: Array, observed: Array) -> Array:
    """Return how far rounding may take each output."""
    sizes, form = scales(conv, tensors), format_of(tensors.input_nhwc)
    if observed.shape == right.shape:
        if conv.is_padded:  # a mistake may sum more than what an output at the border sees
            sizes = Scales(*(_at_least_mean(one) for one in (sizes.absolute, sizes.euclidean)))
        return screen(sizes, conv.taps + 1, form, observed, right)
    return np.full(observed.shape, 8 * form.unit_roundoff * float(sizes.absolute.max()))


def _at_least_mean(sizes: Array) -> Array:
    return np.asarray(np.maximum(sizes, sizes.mean(axis=(1, 2), keepdims=True)))


def _are_alike(outputs: dict[str, Array]) -> bool:
    """Return whether all guesses are one thing at this size, but for the order of their sums."""
    first, *others = outputs.values()
    slack = ORDER * float(np.nan_to_num(np.abs(first)).max(initial=0.0))
    return all(
        first.shape == other.shape and np.allclose(first, other, 0.0, slack, equal_nan=True)
        for other in others
    )


def _guesses(
    conv: Convolution,
    tensors: Tensors,
    right: Array,
    observed: Array,
    limit: Array,
    started: Started,
) -> Iterator[Guess]:
    yield from of_table(conv, tensors, started)
    yield from of_other_ops(conv, tensors)
    if observed.shape == right.shape:
        yield from of_shifts(conv, tensors, started)
        yield from lost_taps(conv, [(tensors, right, observed, limit)])


def _is_explained(
    conv: Convolution, right: Array, observed: Array, expected: Array, limit: Array
) -> bool:
    """Return whether what a guess gives is what is observed, and clearly so; NaN says nothing."""
    if expected.shape != observed.shape:
        return False
    says = ~np.isnan(expected)
    if not (np.abs(observed - expected) <= limit)[says].all():
        return False
    if right.shape != observed.shape:
        return _is_no_chance(conv, np.abs(observed)[says], limit[says])
    wrong = says & (np.abs(observed - right) > limit)
    return _is_no_chance(conv, np.abs(expected - right)[wrong], limit[wrong])


def _is_no_chance(conv: Convolution, sizes: Array, slack: Array) -> bool:
    """Return whether changes of these sizes explain errors that rounding or chance can't."""
    if not len(sizes) or (sizes < CLEAR * slack).any():
        return False
    with np.errstate(divide="ignore"):
        log_chance = np.log(slack / np.maximum(sizes, np.finfo(np.float64).tiny)).sum()
    return bool(np.log(GUESSES + 2 * conv.taps) + log_chance < np.log(CHANCE))
