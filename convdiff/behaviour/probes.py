"""The probes' data: the case's shapes, other numbers. Changing a shape would change the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from convdiff.behaviour.seen import seen_taps
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format
from convdiff.worker.ops.convolution import Convolution


class Kind(Enum):
    """What a probe asks."""

    INTEGERS = "sums of small integers"
    INPUT = "an input with all its bits, times 1"
    WEIGHT = "a weight with all its bits, times 1"
    BIAS = "a bias with all its bits, weights of 0"
    CONTAMINATION = "the same as INPUT, beside large inputs"
    WIDTH = "2^bits + 1 − 2^bits"
    SUBNORMAL = "a subnormal input, kept as an output"
    SUBNORMAL_OUTPUT = "a subnormal output of normal inputs"
    SUBNORMAL_INPUT = "a normal output of subnormal inputs"
    SURVIVOR = "1 + 2^-bits, times 1"
    CANCELLED = "1 + 2^-bits, times 1, less 1"
    SUM = "1 + 2^-bits, of two products that few bits hold"
    BEFORE_BIAS = "1 + 2^-bits, less a bias of 1"
    AFTER_BIAS = "1, and a bias of 2^-bits"
    READING = "one weight an output, times 1"
    RANGE = "2^16, times 1"
    VARIED = "inputs and weights with all their bits"


SUBNORMALS = (Kind.SUBNORMAL, Kind.SUBNORMAL_OUTPUT, Kind.SUBNORMAL_INPUT)


@dataclass(frozen=True)
class Probe:
    """One probe: what is fed, and what a sound direct convolution answers, bit for bit."""

    kind: Kind
    tensors: Tensors
    answer: Array
    """NHWC, in the format of the case."""
    turn: int = 0
    """Which repetition of the question it is, with other numbers or at other taps."""
    bits: int = 0
    """The exponent of a width, the fraction bits of a survivor."""
    asked: float = 0.0
    """The size of the answers that are looked at: outputs that see all of its taps; 0 for all."""


def integer_sets(
    conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int = 0
) -> list[Probe]:
    """Return integers for disjoint sets of taps that together hold every tap of every channel.

    One set is enough for all taps, but where the format, or an accumulator of `bits` bits, can't
    count them.
    """
    sets = -(-conv.taps // (2 ** (bits or FORMATS[conv.dtype].precision) - 1))
    return [integers(conv, shape, bias, 0, part, bits) for part in range(sets)]


def integers(
    conv: Convolution,
    shape: tuple[int, ...],
    bias: bool,
    turn: int = 0,
    part: int = 0,
    bits: int = 0,
) -> Probe:
    """Random integers ±1…8 (fewer and smaller where the format is narrow): exact in any order.

    Every partial sum is an integer below 2^bits, or 2^p of the format, so no direct sum rounds at
    all. Those of the kept taps are never zero, so that no tap can be lost unseen; `part` counts
    through the sets of kept taps. No two biases are the same where there are numbers enough.
    """
    rng = np.random.default_rng([20170215, turn])
    top = 2 ** (bits or FORMATS[conv.dtype].precision)
    most = int(max(1, min(8, np.sqrt(top / (conv.taps + 1)))))
    sets = -(-conv.taps // (top - 1))
    member = rng.permuted(
        np.tile(np.arange(conv.taps)[:, None] % sets, (1, conv.channels_out)), axis=0
    )
    x, w = (
        rng.integers(1, most, shape, endpoint=True) * rng.choice([-1.0, 1.0], shape)
        for shape in (shape, conv.filter_shape)
    )
    b = _unlike(rng, most, conv.channels_out)
    w *= (member == part % sets).reshape(conv.filter_shape)
    return probe_of(Kind.INTEGERS, conv, x, w, b if bias else None, turn)


def _unlike(rng: np.random.Generator, most: int, count: int) -> Array:
    """Return integers ±1…most as unlike as can be: two that are alike may be swapped unseen."""
    each = np.setdiff1d(np.arange(-most, most + 1.0), 0)
    return rng.permutation(np.tile(each, -(-count // len(each))))[:count]


def weight_delta(conv: Convolution, shape: tuple[int, ...], bias: bool, turn: int = 0) -> Probe:
    """One weight of 1 an output channel, inputs with all their bits: the output is the input."""
    x = full_bits(np.random.default_rng([1, turn]), shape, FORMATS[conv.dtype])
    w = one_weight(conv, shape, turn).reshape(conv.filter_shape)
    return probe_of(Kind.INPUT, conv, x, w, no_bias(conv, bias), turn)


def contamination(conv: Convolution, shape: tuple[int, ...], bias: bool, turn: int = 0) -> Probe:
    """Scale some inputs of weight_delta up: a transform loses bits of those beside them.

    By 2¹⁴ at the most, so that fp16 holds them too.
    """
    probe = weight_delta(conv, shape, bias, turn)
    rng = np.random.default_rng([3, turn])
    factor = 2.0 ** min(FORMATS[conv.dtype].precision - 4, 14)
    x = _wide(probe.tensors.input_nhwc) * np.where(rng.random(shape) < 0.25, factor, 1.0)
    w = _wide(probe.tensors.filter_hwio)
    return probe_of(Kind.CONTAMINATION, conv, x, w, no_bias(conv, bias), turn)


def one_weight(conv: Convolution, shape: tuple[int, ...], turn: int = 0) -> Array:
    """Return one weight of 1 an output channel, (taps, cout)."""
    return one_tap(conv, shape, np.ones(conv.channels_out), turn)


def one_tap(conv: Convolution, shape: tuple[int, ...], values: Array, turn: int = 0) -> Array:
    """Return one weight an output channel, (taps, cout), of these (cout,) values.

    At taps that outputs of an input of this NHWC shape see.
    """
    w, taps = np.zeros((conv.taps, conv.channels_out)), seen_taps(conv, shape)
    channels = np.arange(conv.channels_out)
    w[taps[((channels + turn) * 7 + len(taps) // 2) % len(taps)], channels] = values
    return w


def full_bits(rng: np.random.Generator, shape: tuple[int, ...], form: Format) -> Array:
    """Return values in ±[1, 2) whose last significant bit is 1."""
    steps = 2 ** (form.precision - 1)
    odd = rng.integers(0, steps // 2, shape) * 2 + 1
    return np.asarray((1.0 + odd / steps) * rng.choice([-1.0, 1.0], shape))


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def no_bias(conv: Convolution, bias: bool) -> Array | None:
    """Return a bias that adds nothing, where there is one."""
    return np.zeros(conv.channels_out) if bias else None


def probe_of(
    kind: Kind,
    conv: Convolution,
    x: Array,
    w: Array,
    b: Array | None,
    turn: int = 0,
    bits: int = 0,
) -> Probe:
    """Return the probe of fp64 numbers that the case's format holds."""
    dtype = numpy_dtype(conv.dtype)
    answer = plain_fp64(conv, Tensors(w, b, x)).astype(dtype)
    bias = None if b is None else b.astype(dtype)
    return Probe(kind, Tensors(w.astype(dtype), bias, x.astype(dtype)), answer, turn, bits)


STEP_BITS = {"relu6": 4}
"""Bits of sums of integers of which a step leaves some as they are, where it cuts others off."""
STEP_SETS = 8
"""Sets of taps that are asked at most with a step: without it, all are."""


def with_step(
    conv: Convolution, shape: tuple[int, ...], bias: bool, added: tuple[int, ...] | None
) -> list[Probe]:
    """Return integers for a convolution with the step that follows.

    added: the shape of what the step adds, NHWC, where it adds something.
    """
    probes = integer_sets(conv, shape, bias, STEP_BITS.get(conv.then, 0))[:STEP_SETS]
    if added is None:
        return probes
    return [
        _adding(conv, probe, np.random.default_rng([5, n]), added) for n, probe in enumerate(probes)
    ]


def _adding(
    conv: Convolution, probe: Probe, rng: np.random.Generator, added: tuple[int, ...]
) -> Probe:
    """Return a probe with integers that are added to its outputs."""
    numbers = rng.integers(1, 8, added, endpoint=True) * rng.choice([-1.0, 1.0], added)
    tensors = replace(probe.tensors, added=numbers.astype(probe.answer.dtype))
    answer = plain_fp64(conv, tensors).astype(probe.answer.dtype)
    return replace(probe, tensors=tensors, answer=answer)
