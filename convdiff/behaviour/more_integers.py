"""More integers like those of a probe, for what fits one of them by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.probes import Probe
from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

ENOUGH, FEWEST, MOST = 64, 3, 16
"""Output positions that are wanted, and how many probes more there are for them."""


def more_integers(conv: Convolution, answer: Answer) -> list[Probe]:
    """Return probes as large, of the same taps, with other numbers."""
    positions = max(1, answer.right[..., 0].size)
    count = min(MOST, max(FEWEST, -(-ENOUGH // positions)))
    return [_again(conv, answer.probe, number) for number in range(count)]


def _again(conv: Convolution, probe: Probe, number: int) -> Probe:
    rng, tensors = np.random.default_rng([20170216, number]), probe.tensors
    made = Tensors(
        _like(rng, tensors.filter_hwio),
        None if tensors.bias is None else _like(rng, tensors.bias),
        _like(rng, tensors.input_nhwc),
        None if tensors.added is None else _like(rng, tensors.added),
    )
    answer = plain_fp64(conv, made).astype(probe.answer.dtype)
    return replace(probe, tensors=made, answer=answer, turn=probe.turn + number + 1)


def _like(rng: np.random.Generator, array: Array) -> Array:
    """Return integers of the same size at most, zero where the array is zero."""
    most = int(np.abs(array.astype(np.float64)).max())
    values = rng.integers(1, max(1, most), array.shape, endpoint=True)
    signs = rng.choice([-1.0, 1.0], array.shape)
    return np.asarray((values * signs * (array != 0)).astype(array.dtype))
