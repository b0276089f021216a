"""Checks: what a large kernel is asked first; only one that fails any gets the whole interview.

They ask what the first probes ask, of numbers whose right answer takes no convolution, so that the
worker makes, asks and reads them by itself: see `convdiff.worker.checks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.constant_inputs import Constant, first_constants
from convdiff.behaviour.first_probes import ENOUGH_OUTPUTS
from convdiff.behaviour.probes import SUBNORMALS, Kind, one_weight
from convdiff.behaviour.rounding_widths import flushed_words
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS
from convdiff.worker.ops.convolution import Convolution

LARGE = 1e7
"""Products from which on a kernel is checked first."""
MOST_WEIGHT, MOST_PLANE = 8, 64
"""Integers are at most so large in a filter, and a position."""
TURNS = 2
"""Integers are asked for so often: what is exchanged may be alike by chance."""
SCALED = 14
"""The exponent by which inputs are scaled up to look for a transform: fp16 holds them too."""


@dataclass(frozen=True)
class Check:
    """A question whose answer is how many outputs are wrong, and how many of those are zero."""

    kind: Kind
    weights: Array
    """(taps, cout)"""
    factors: tuple[Array, ...] = ()
    """What a position, (N, H, W) or all alike, and what a channel, (C,), makes an input of; none of
    inputs with all their bits."""
    bits: dict[str, Any] = field(default_factory=dict)
    """The seed of such inputs, and the exponent by which some are scaled."""
    bias: Array | None = None
    """(cout,) where it is not zero."""

    def written(
        self, conv: Convolution, shape: tuple[int, ...], places: Array | None, *, bias: bool
    ) -> tuple[dict[str, Any], list[Array]]:
        """Return how it travels, as `convdiff.worker.checks.answer` has it.

        shape: NHWC of the input. places: the flat positions to look at, None of all.
        """
        header = {"conv": conv._asdict(), "input": shape, "bias": bias, "check": self.bits}
        taps = np.flatnonzero(self.weights.any(axis=1))
        added = self.bias if bias and self.bias is not None else np.zeros(conv.channels_out)
        numbers = (self.weights[taps], added)
        weights, added, *factors = (
            np.asarray(array, np.float32) for array in (*numbers, *self.factors)
        )
        chosen = np.zeros(0, np.int64) if places is None else places
        return header, [taps, weights, added, chosen, *factors]


Ask = Callable[[Check], "tuple[int, int] | None"]
"""Puts a check to a cell; None where it got no answer."""


def checked(conv: Convolution, shape: tuple[int, ...], bias: bool, ask: Ask) -> Traits | None:
    """Return what a kernel is found to be that fails no check, but for flushing to zero.

    shape: NHWC of the input. None where one failed, got no answer, or is none that can be asked.
    """
    zero = set()
    if not _can_be_asked(conv, shape):
        return None
    for check in _checks(conv, shape, bias):
        counts = ask(check)
        if counts is None:
            return None
        wrong, zeros = counts
        if wrong and (check.kind not in SUBNORMALS or zeros < wrong):
            return None
        if wrong:
            zero.add(check.kind)
    return Traits(flushes=flushed_words(zero))


def _can_be_asked(conv: Convolution, shape: tuple[int, ...]) -> bool:
    """Return whether there are outputs enough, and fp64 holds all sums, which the format counts."""
    outputs, form = math.prod(conv.output_shape(*shape[:3])), FORMATS[conv.dtype]
    few = outputs < ENOUGH_OUTPUTS or outputs * conv.taps < LARGE
    return not few and form.precision <= 24 and conv.taps + 1 < 2**form.precision


def _checks(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Iterator[Check]:
    for turn in range(TURNS):
        yield _integers(conv, shape, turn)
    scaled = min(FORMATS[conv.dtype].precision - 4, SCALED)
    for kind, exponent in ((Kind.INPUT, 0), (Kind.CONTAMINATION, scaled)):
        yield Check(kind, one_weight(conv, shape), bits={"seed": 1, "scaled": exponent})
    for constant in first_constants(conv, shape, bias):
        yield _of_constant(conv, constant)


def _of_constant(conv: Convolution, constant: Constant) -> Check:
    factors = np.full((1, 1, 1), constant.value), np.ones(conv.channels_in)
    return Check(constant.kind, constant.weights, factors, bias=constant.bias)


def _integers(conv: Convolution, shape: tuple[int, ...], turn: int) -> Check:
    """Return integers that no direct sum rounds, none of them zero, so that no tap is lost unseen.

    Positions, channels and weights are at most so large that all sums stay below 2^p. Channels, and
    weights of one, are as unlike as can be: two that are swapped would else change nothing.
    """
    rng = np.random.default_rng([20170217, turn])
    room = 2 ** FORMATS[conv.dtype].precision // (conv.taps + 1)
    weight = max(1, min(MOST_WEIGHT, int(np.cbrt(room))))
    plane = max(1, min(MOST_PLANE, int(np.sqrt(room // weight))))
    channel = max(1, room // (weight * plane))
    each = np.resize(np.setdiff1d(np.arange(-weight, weight + 1.0), 0), conv.taps)
    w = rng.permuted(np.tile(each[:, None], (1, conv.channels_out)), axis=0)
    bias = _signed(rng, weight * plane * channel, conv.channels_out)
    unlike = rng.permutation(np.resize(np.arange(1, channel + 1), conv.channels_in))
    channels = unlike * rng.choice([-1.0, 1.0], conv.channels_in)
    return Check(Kind.INTEGERS, w, (_signed(rng, plane, shape[:3]), channels), bias=bias)


def _signed(rng: np.random.Generator, most: int, shape: int | tuple[int, ...]) -> Array:
    """Return integers of both signs, 1 to `most` in size, in fp64."""
    sizes = rng.integers(1, most, shape, endpoint=True)
    return np.asarray(sizes * rng.choice([-1.0, 1.0], shape))
