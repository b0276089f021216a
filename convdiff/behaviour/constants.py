"""Constants that are added to the outputs of a channel, and are no bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.guesses import Guess
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

FEWEST = 8
"""Outputs of a channel that must all be off by the constant."""
SHOWN = 4
"""Channels whose constants are said."""


def constant(conv: Convolution, wrong: Sequence[Answer]) -> Iterator[Guess]:
    """Yield the guess that each channel is off by a constant, the same on all probes."""
    low, high = _between(wrong)
    positions = sum(answer.right[..., 0].size for answer in wrong)
    if positions < FEWEST or (low > high).any():
        return
    added = _simplest(low, high)
    channels = np.flatnonzero(added).tolist()
    if channels:
        yield Guess(_name(added, channels), lambda t: plain_fp64(conv, t) + added)


def _between(wrong: Sequence[Answer]) -> tuple[Array, Array]:
    """Return the least and the most that can have been added to each channel, after rounding."""
    low, high = [], []
    for answer in wrong:
        dtype = answer.probe.answer.dtype
        values = answer.output.astype(dtype)
        gap = np.abs(np.nextafter(values, dtype.type(0)).astype(np.float64) - answer.output) / 2
        off = answer.output - answer.right
        low.append((off - gap).max(axis=(0, 1, 2)))
        high.append((off + gap).min(axis=(0, 1, 2)))
    return np.max(low, axis=0), np.min(high, axis=0)


def _simplest(low: Array, high: Array) -> Array:
    """Return the numbers of the fewest decimals in these intervals."""
    middle = (low + high) / 2
    chosen = middle.copy()
    for digits in range(17, -1, -1):
        shorter = np.round(middle, digits)
        fits = (low <= shorter) & (shorter <= high)
        chosen[fits] = shorter[fits]
    return np.asarray(chosen)


def _name(added: Array, channels: list[int]) -> str:
    if len(channels) == len(added) and len(set(added.tolist())) == 1:
        return f"the constant {added[0]:g} is added to all outputs"
    if len(channels) > SHOWN:
        return f"a constant is added to each of {len(channels)} output channels"
    parts = [f"{added[channel]:g} to output channel {channel}" for channel in channels]
    return f"a constant is added: {', '.join(parts)}"
