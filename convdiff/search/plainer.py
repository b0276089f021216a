"""Plainer numbers than a case has: small integers, then short decimals, then powers of two."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.numerics.array import Array
from convdiff.search.smaller import Problem

DECIMALS = 7
ARRAYS = ("filter_hwio", "bias", "input_nhwc", "added")
LARGEST = 99
"""Of what is called a small integer."""
HALF = 0.5
"""The significand of a power of two."""
WORST = 10_000


def plainer(problem: Problem) -> Iterator[Problem]:
    """Yield the problem with plainer numbers: all of an array at once, then ever fewer of them."""
    for name in ARRAYS:
        array = getattr(problem.tensors, name)
        if array is not None:
            for numbers in _plainer(array):
                yield Problem(problem.case, replace(problem.tensors, **{name: numbers}))


def _plainer(array: Array) -> Iterator[Array]:
    flat = array.reshape(-1)
    before = costs(flat)
    size = len(flat)
    while size >= 1:
        for start in range(0, len(flat), size):
            piece = slice(start, start + size)
            for rounded in _rounded(flat[piece].astype(np.float64)):
                numbers = rounded.astype(array.dtype)
                gains = costs(numbers) < before[piece]
                if gains.any():
                    after = flat.copy()
                    after[piece] = np.where(gains, numbers, flat[piece])
                    yield after.reshape(array.shape)
        size //= 2


def _rounded(values: Array) -> Iterator[Array]:
    """Yield numbers near to some, or in their place, the plainest first."""
    yield np.zeros_like(values)
    yield np.ones_like(values)
    for digits in range(DECIMALS):
        yield np.round(values, digits) + 0.0  # no −0
    with np.errstate(divide="ignore"):
        exponents = np.round(np.log2(np.abs(values)))
    yield np.where(values == 0, 0, np.copysign(np.exp2(np.maximum(exponents, -126)), values))


def costs(values: Array) -> Array:
    """Return how plain each number is, (n,) int64: the smaller, the plainer.

    0, 1, other small integers by size, decimals by the digits that they are written with, powers of
    two, then the rest; what is negative is a little less plain.
    """
    return np.array([_cost(value) for value in values], np.int64)


def _cost(value: Any) -> int:
    number = float(value)
    sign = int(number < 0)
    if not math.isfinite(number):
        return WORST
    if number == round(number) and abs(number) <= LARGEST:
        return int(2 * abs(number)) + sign
    digits = len(str(value).partition("e")[0].replace(".", "").strip("-0"))
    if digits <= DECIMALS - 2:
        return 1_000 + 10 * digits + sign
    return (2_000 if math.frexp(abs(number))[0] == HALF else 3_000) + sign
