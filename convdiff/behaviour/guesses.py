"""Guesses at what a wrong kernel does: each has a name, and says what it gives on any data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.behaviour.computation import Computation
from convdiff.behaviour.mistakes import Mistake, mistakes
from convdiff.case.arrays import Tensors
from convdiff.compare.exact import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution

FARTHEST = 2
"""Shifts are tried up to so many positions either way."""


@dataclass(frozen=True)
class Guess:
    """One mistake, or several at once."""

    name: str
    result: Callable[[Tensors], Array | None]
    """What it gives, NHWC in fp64; NaN where it says nothing, None where it gives nothing."""


def of_table(conv: Convolution, tensors: Tensors) -> Iterator[Guess]:
    """Yield the rows of the table of mistakes."""
    for row in mistakes(conv, tensors.input_nhwc.shape, bias=tensors.bias is not None):
        yield of_rows(conv, [row])


def of_rows(conv: Convolution, rows: Sequence[Mistake]) -> Guess:
    """Return the guess that these mistakes are made at once, the first of them first."""

    def result(tensors: Tensors) -> Array | None:
        computation = Computation.of(conv, tensors)
        for row in rows:
            computation = row.change(computation)
        return computation.result()

    return Guess(", and ".join(row.name for row in rows), result)


def of_shifts(conv: Convolution, tensors: Tensors) -> Iterator[Guess]:
    """Yield shifts of the output, (down, right): what comes in from the edge may be anything."""
    height, length = tensors.input_nhwc.shape[1:3]
    _, rows, columns, _ = conv.output_shape(1, height, length)
    steps = range(-FARTHEST, FARTHEST + 1)
    for down in steps:
        for right in steps:
            if (down, right) != (0, 0) and abs(down) < rows and abs(right) < columns:
                name = f"the output is shifted by ({down}, {right})"
                yield Guess(name, lambda t, d=down, r=right: _shifted(plain_fp64(conv, t), d, r))  # type: ignore[misc]


def _shifted(y: Array, down: int, right: int) -> Array:
    rows, columns = y.shape[1:3]
    result = np.full_like(y, np.nan)
    result[
        :,
        max(0, down) : rows + min(0, down),
        max(0, right) : columns + min(0, right),
    ] = y[:, max(0, -down) : rows - max(0, down), max(0, -right) : columns - max(0, right)]
    return result


def of_tap(
    conv: Convolution, tap: int, times: float, channels: Sequence[int], *, all_channels: bool
) -> Guess:
    """Return the guess that a tap counts `times` in some output channels; taps as in the filter."""
    place = tuple(int(i) for i in np.unravel_index(tap, conv.filter_shape[:3]))
    text = "is dropped" if times == 0 else "is counted twice"
    numbers = ", ".join(map(str, channels))
    where = f"output channel{'s' if len(channels) > 1 else ''} {numbers}"
    if all_channels and len(channels) > 1:
        where = "every output channel"

    def result(tensors: Tensors) -> Array:
        w = tensors.filter_hwio.astype(np.float64).reshape(conv.taps, -1)
        w[tap, list(channels)] *= times
        changed = replace(tensors, filter_hwio=w.reshape(conv.filter_shape))
        return plain_fp64(conv, changed)

    return Guess(f"tap {place} (kh, kw, cin) {text} in {where}", result)
