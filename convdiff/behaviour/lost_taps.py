"""Looks for the tap that is missing from, or counted twice in, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from convdiff.behaviour.guesses import Guess, of_tap
from convdiff.case.arrays import Tensors
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

TABLE = 1 << 20
"""Products that are looked through at once."""
MOST_CHANNELS, MOST_DATA = 64, 4
"""Wrong output channels that are looked through, on so many data."""
LIKELIEST = 8
"""Taps that are guessed at most: those that fit the most channels."""

Seen = tuple[Tensors, Array, Array, Array]
"""Data, what is right, what is observed, and how far rounding may take each output: all NHWC."""


def lost_taps(conv: Convolution, data: list[Seen]) -> Iterator[Guess]:
    """Yield the taps whose loss, or double count, explains some wrong channels of each kind."""
    channels: dict[tuple[int, float], set[int]] = {}
    hits: Counter[tuple[int, float]] = Counter()
    for tensors, right, observed, limit in data[:MOST_DATA]:
        wrong = np.flatnonzero((np.abs(right - observed) > limit).any(axis=(0, 1, 2))).tolist()
        some: dict[tuple[int, float], list[int]] = {}
        for channel in wrong[:MOST_CHANNELS]:
            for key in _of_channel(conv, tensors, (observed - right, limit), channel):
                some.setdefault(key, []).append(channel)
        for key, hit in some.items():
            hits[key] += len(hit)
            # What explains all that were looked at is guessed to explain the others.
            every = len(hit) == len(wrong[:MOST_CHANNELS])
            channels.setdefault(key, set()).update(wrong if every else hit)
    for key, _ in hits.most_common(LIKELIEST):
        these = sorted(channels[key])
        yield of_tap(conv, *key, these, all_channels=len(these) == conv.channels_out)


def _of_channel(
    conv: Convolution, tensors: Tensors, off: tuple[Array, Array], channel: int
) -> Iterator[tuple[int, float]]:
    """Yield (tap, 0 or 2) of what explains a channel. `off`: the error and its limit, NHWC."""
    error, slack = (each[..., channel].reshape(-1) for each in off)
    # The outputs that are off come first, as many as a reasonable table holds.
    places = np.argsort(np.abs(error) <= slack, kind="stable")[: max(64, TABLE // conv.taps)]
    products = _products_at(conv, tensors, off[0].shape, places, channel)
    error, slack = error[places, None], slack[places, None]
    for times, change in ((0.0, -products), (2.0, products)):
        for tap in np.flatnonzero((np.abs(error - change) <= slack).all(axis=0)):
            yield int(tap), times


def _products_at(
    conv: Convolution, tensors: Tensors, shape: tuple[int, ...], places: Array, channel: int
) -> Array:
    """Return every product of these outputs: (places, taps), the taps in (kh, kw, cin) order."""
    field = conv.windows(tensors.input_nhwc)[np.unravel_index(places, shape[:3])]
    field = field[..., conv.inputs_of(conv.group_of(channel))].reshape(len(places), conv.taps)
    weights = tensors.filter_hwio[..., channel].reshape(-1)
    return np.asarray(field.astype(np.float64) * weights.astype(np.float64))
