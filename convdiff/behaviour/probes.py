"""The probes' data: the case's shapes, other numbers. Changing a shape would change the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from convdiff.behaviour.seen import outputs_of_tap, seen_taps, taps_together
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, HALF_OVERFLOW, Format
from convdiff.worker.ops.conv2d import Convolution

ENOUGH_OUTPUTS, MOST_TURNS = 32, 8
"""Outputs that a probe is to have, and how often it is repeated at most to have them."""


class Kind(Enum):
    """What a probe asks."""

    INTEGERS = "sums of small integers"
    INPUT = "an input with all its bits, times 1"
    WEIGHT = "a weight with all its bits, times 1"
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


def first_probes(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """Return the probes that every questioned cell gets; `shape` is the NHWC of its input.

    Those that rest on chance are repeated with other numbers where a cell has few outputs.
    """
    turns = max(1, min(MOST_TURNS, -(-ENOUGH_OUTPUTS // outputs_of_tap(conv, shape))))
    probes = integer_sets(conv, shape, bias)
    for turn in range(turns):
        if turn:
            probes.append(integers(conv, shape, bias, turn, turn))
        probes.append(weight_delta(conv, shape, bias, turn))
        probes.append(contamination(conv, shape, bias, turn))
    probes.append(input_ones(conv, shape, bias))
    return [*probes, *widths(conv, shape, bias), *subnormals(conv, shape, bias)]


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
    through the sets of kept taps.
    """
    rng = np.random.default_rng([20170215, turn])
    top = 2 ** (bits or FORMATS[conv.dtype].precision)
    most = int(max(1, min(8, np.sqrt(top / (conv.taps + 1)))))
    sets = -(-conv.taps // (top - 1))
    member = rng.permuted(
        np.tile(np.arange(conv.taps)[:, None] % sets, (1, conv.channels_out)), axis=0
    )
    x, w, b = (
        rng.integers(1, most, shape, endpoint=True) * rng.choice([-1.0, 1.0], shape)
        for shape in (shape, conv.filter_shape, (conv.channels_out,))
    )
    w *= (member == part % sets).reshape(conv.filter_shape)
    return probe_of(Kind.INTEGERS, conv, x, w, b if bias else None, turn)


def weight_delta(conv: Convolution, shape: tuple[int, ...], bias: bool, turn: int = 0) -> Probe:
    """One weight of 1 an output channel, inputs with all their bits: the output is the input."""
    x = full_bits(np.random.default_rng([1, turn]), shape, FORMATS[conv.dtype])
    w = _one_tap(conv, shape, np.ones(conv.channels_out), turn)
    return probe_of(Kind.INPUT, conv, x, w, no_bias(conv, bias), turn)


def input_ones(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Probe:
    """One weight with all its bits an output channel, inputs of 1: the output is the weight."""
    rng = np.random.default_rng(2)
    values = full_bits(rng, (conv.channels_out,), FORMATS[conv.dtype])
    w = _one_tap(conv, shape, values)
    return probe_of(Kind.WEIGHT, conv, np.ones(shape), w, no_bias(conv, bias))


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


def widths(conv: Convolution, shape: tuple[int, ...], bias: bool, exponent: int = 0) -> list[Probe]:
    """2^e + 1 − 2^e at three taps: 1 in any order, unless the accumulator keeps no e + 1 bits.

    e is p − 1 where none is given. The three probes take the taps in turns.
    """
    together = taps_together(conv, shape)
    if len(together) < 3:
        return []
    exponent = exponent or FORMATS[conv.dtype].precision - 1
    inputs = 2.0 ** (exponent // 2)  # half of the exponent on each side: fp16 holds it too
    taps = together[[0, len(together) // 2, -1]]
    probes = []
    for turn in range(3):
        w = np.zeros((conv.taps, conv.channels_out))
        products = np.roll([2.0**exponent, 1.0, -(2.0**exponent)], turn)
        for tap, product in zip(taps, products, strict=True):
            w[tap] = product / inputs
        x, weights = np.full(shape, inputs), w.reshape(conv.filter_shape)
        probe = probe_of(Kind.WIDTH, conv, x, weights, no_bias(conv, bias), turn, exponent)
        probes.append(replace(probe, asked=1.0))
    return probes


def subnormals(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """tiny/2·1, tiny·½ and tiny/2·4, one tap a channel: zero where subnormals are flushed.

    Not for fp16, whose subnormals every wider format holds as normal numbers.
    """
    if conv.dtype == "float16":
        return []
    tiny = FORMATS[conv.dtype].flushed
    rows = (
        (Kind.SUBNORMAL, tiny / 2, 1.0),
        (Kind.SUBNORMAL_OUTPUT, tiny, 0.5),
        (Kind.SUBNORMAL_INPUT, tiny / 2, 4.0),
    )
    probes = []
    for kind, value, weight in rows:
        taps = _one_tap(conv, shape, np.full(conv.channels_out, weight))
        probes.append(probe_of(kind, conv, np.full(shape, value), taps, no_bias(conv, bias)))
    return probes


def survivor(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int, side: str) -> Probe:
    """Return the probe that asks whether 1 + 2^-bits survives on one side of the product."""
    value = 1.0 + 2.0**-bits
    weight, filled = (value, 1.0) if side == "weight" else (1.0, value)
    taps = _one_tap(conv, shape, np.full(conv.channels_out, weight))
    x = np.full(shape, filled)
    return probe_of(Kind.SURVIVOR, conv, x, taps, no_bias(conv, bias), bits=bits)


def ranges(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """2^16·1 and 1·2^16, one tap a channel: float16 holds neither."""
    probes = []
    for value, weight in ((HALF_OVERFLOW, 1.0), (1.0, HALF_OVERFLOW)):
        taps = _one_tap(conv, shape, np.full(conv.channels_out, weight))
        x = np.full(shape, value)
        probes.append(probe_of(Kind.RANGE, conv, x, taps, no_bias(conv, bias)))
    return probes


def _one_tap(conv: Convolution, shape: tuple[int, ...], values: Array, turn: int = 0) -> Array:
    w, seen = np.zeros((conv.taps, conv.channels_out)), seen_taps(conv, shape)
    channels = np.arange(conv.channels_out)
    w[seen[((channels + turn) * 7 + len(seen) // 2) % len(seen)], channels] = values
    return w.reshape(conv.filter_shape)


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
