"""Guesses at what a wrong kernel does: each has a name, and says what it gives on any data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.behaviour.computation import Computation
from convdiff.behaviour.glance import Glance
from convdiff.behaviour.mistakes import Mistake, mistakes, moved
from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64
from convdiff.compare.other_ops import other_ops
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

Shift = Callable[[Array, int, int], "Array | None"]
"""Move an output, NHWC, down and right; None where too little of it stays."""
FARTHEST = 2
"""Shifts are tried up to so many positions either way."""


@dataclass(frozen=True)
class Guess:
    """One mistake, or several at once."""

    name: str
    result: Callable[[Tensors], Array | None]
    """What it gives, NHWC in fp64; NaN where it says nothing, None where it gives nothing."""


class Started:
    """The right computation of the data that was last asked for, with its sums."""

    def __init__(self, conv: Convolution) -> None:
        self._conv = conv
        self._last: tuple[Tensors, Computation] | None = None

    def of(self, tensors: Tensors) -> Computation:
        """Return the right computation of this data."""
        if self._last is None or self._last[0] is not tensors:
            self._last = tensors, Computation.of(self._conv, tensors)
        return self._last[1]


def of_table(
    conv: Convolution, tensors: Tensors, started: Started, glance: Glance | None = None
) -> Iterator[Guess]:
    """Yield the rows of the table of mistakes that survive a glance at what they give, if any."""
    for row in mistakes(conv, tensors.input_nhwc.shape, bias=tensors.bias is not None):
        if row.is_late or glance is None or glance.may_be(row.change(started.of(tensors))):
            yield of_rows(started, [row])


def of_other_ops(conv: Convolution, tensors: Tensors) -> Iterator[Guess]:
    """Yield padded and transposed convolutions."""
    for name, result in other_ops(conv, tensors.input_nhwc.shape):
        yield Guess(name, result)


def of_rows(started: Started, rows: Sequence[Mistake]) -> Guess:
    """Return the guess that these mistakes are made at once, the first of them first."""

    def result(tensors: Tensors) -> Array | None:
        computation = started.of(tensors)
        for row in rows:
            computation = row.change(computation)
        return computation.result()

    return Guess(", and ".join(row.name for row in rows), result)


def of_shifts(conv: Convolution, tensors: Tensors, started: Started) -> Iterator[Guess]:
    """Yield shifts of the output, (down, right); where there is padding, those that say it all."""
    yield from _shifts(conv, tensors, started, CLOSED if conv.is_padded else (*CLOSED, _open))


def open_shifts(conv: Convolution, tensors: Tensors, started: Started) -> Iterator[Guess]:
    """Yield those where anything may come in, which other padding may look like."""
    if conv.is_padded:
        yield from _shifts(conv, tensors, started, (_open,))


def _shifts(
    conv: Convolution, tensors: Tensors, started: Started, ways: Sequence[Shift]
) -> Iterator[Guess]:
    height, length = tensors.input_nhwc.shape[1:3]
    _, rows, columns, _ = conv.output_shape(1, height, length)
    steps = range(-FARTHEST, FARTHEST + 1)
    down = steps if len(conv.kernel) == 2 else (0,)  # rows of other depths are no neighbours
    for by in itertools.product(down, steps):
        if by == (0, 0) or abs(by[0]) >= rows or abs(by[1]) >= columns:
            continue
        for shift in ways:
            name = f"the output is shifted by {by}"
            yield Guess(name, lambda t, by=by, shift=shift: shift(started.of(t).result(), *by))  # type: ignore[misc]


def _clamped(y: Array, down: int, right: int) -> Array:
    """Shift NHWC; what comes in repeats the edge."""
    rows, columns = y.shape[1:3]
    from_rows = np.clip(np.arange(rows) - down, 0, rows - 1)
    return y[:, from_rows][:, :, np.clip(np.arange(columns) - right, 0, columns - 1)]


def _around(y: Array, down: int, right: int) -> Array:
    """Shift NHWC; what comes in is what went out."""
    return np.roll(y, (down, right), (1, 2))


def _open(y: Array, down: int, right: int) -> Array | None:
    """Shift NHWC; what comes in may be anything, but it is less than stays."""
    stays = moved(np.ones_like(y), down, right) > 0
    if np.count_nonzero(stays) * 2 <= y.size:
        return None
    return np.where(stays, moved(y, down, right), np.nan)


CLOSED: tuple[Shift, ...] = (_clamped, _around, moved)
"""What may come in from the edge, if it is known: nothing else may where little stays."""


def of_tap(
    conv: Convolution, tap: int, times: float, channels: Sequence[int], *, all_channels: bool
) -> Guess:
    """Return the guess that a tap counts `times` in some output channels; taps as in the filter."""
    extents = (*conv.own(conv.kernel), conv.filter_shape[2])
    index = tuple(int(i) for i in np.unravel_index(tap, extents))
    axes = ", ".join((*("kd", "kh", "kw")[-conv.rank :], "cin"))
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

    return Guess(f"tap {index} ({axes}) {text} in {where}", result)
