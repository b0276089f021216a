"""The probes' data: the case's shapes, other numbers. Changing a shape would change the kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.model import Convolution
from convdiff.compare.exact import plain_fp64
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format

OUTPUTS, MOST_TURNS = 32, 8
"""Outputs that a probe is to have, and how often it is repeated at most to have them."""
TINY = {"float32": 2.0**-126, "bfloat16": 2.0**-126, "float64": 2.0**-1022}
"""The smallest normal numbers."""


@dataclass(frozen=True)
class Probe:
    """One probe: what is fed, and what a sound direct convolution answers, bit for bit."""

    name: str
    tensors: Tensors
    answer: Array
    """NHWC, in the format of the case."""


def first_probes(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """Return the probes that every questioned cell gets; `shape` is the NHWC of its input.

    Those that rest on chance are repeated with other numbers where a cell has few outputs.
    """
    outputs = math.prod(conv.output_shape(*shape[:3]))
    turns = max(1, min(MOST_TURNS, -(-OUTPUTS // outputs)))
    found = integer_sets(conv, shape, bias)
    for turn in range(turns):
        if turn:
            found.append(integers(conv, shape, bias, turn, turn))
        found.append(weight_delta(conv, shape, bias, turn))
        found.append(contamination(conv, shape, bias, turn))
    found.append(input_ones(conv, shape, bias))
    return [*found, *widths(conv, shape, bias), *subnormals(conv, shape, bias)]


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
    name = f"integer {turn} {part}" + (f" in {bits} bits" if bits else "")
    return _probe(name, conv, x, w, b if bias else None)


def weight_delta(conv: Convolution, shape: tuple[int, ...], bias: bool, turn: int = 0) -> Probe:
    """One weight of 1 an output channel, inputs with all their bits: the output is the input."""
    x = _full_bits(np.random.default_rng([1, turn]), shape, FORMATS[conv.dtype])
    w = _one_tap(conv, np.ones(conv.channels_out), turn)
    return _probe(f"input {turn}", conv, x, w, _none(conv, bias))


def input_ones(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Probe:
    """One weight with all its bits an output channel, inputs of 1: the output is the weight."""
    rng = np.random.default_rng(2)
    values = _full_bits(rng, (conv.channels_out,), FORMATS[conv.dtype])
    return _probe("weight", conv, np.ones(shape), _one_tap(conv, values), _none(conv, bias))


def contamination(conv: Convolution, shape: tuple[int, ...], bias: bool, turn: int = 0) -> Probe:
    """Scale some inputs of weight_delta up: a transform loses bits of those beside them.

    By 2¹⁴ at the most, so that fp16 holds them too.
    """
    probe = weight_delta(conv, shape, bias, turn)
    rng = np.random.default_rng([3, turn])
    factor = 2.0 ** min(FORMATS[conv.dtype].precision - 4, 14)
    x = _wide(probe.tensors.input_nhwc) * np.where(rng.random(shape) < 0.25, factor, 1.0)
    w = _wide(probe.tensors.filter_hwio)
    return _probe(f"contamination {turn}", conv, x, w, _none(conv, bias))


def widths(conv: Convolution, shape: tuple[int, ...], bias: bool, exponent: int = 0) -> list[Probe]:
    """2^e + 1 − 2^e at three taps: 1 in any order, unless the accumulator keeps no e + 1 bits.

    e is p − 1 where none is given. The three probes take the taps in turns.
    """
    if conv.taps < 3:
        return []
    exponent = exponent or FORMATS[conv.dtype].precision - 1
    inputs = 2.0 ** (exponent // 2)  # half of the exponent on each side: fp16 holds it too
    places = [0, conv.taps // 2, conv.taps - 1]
    found = []
    for turn in range(3):
        w = np.zeros((conv.taps, conv.channels_out))
        products = np.roll([2.0**exponent, 1.0, -(2.0**exponent)], turn)
        for place, product in zip(places, products, strict=True):
            w[place] = product / inputs
        x, weights = np.full(shape, inputs), w.reshape(conv.filter_shape)
        name = f"width {turn + 1} {exponent}"
        found.append(_probe(name, conv, x, weights, _none(conv, bias)))
    return found


def subnormals(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """tiny/2·1, tiny·½ and tiny/2·4, one tap a channel: zero where subnormals are flushed.

    Not for fp16, whose subnormals every wider format holds as normal numbers.
    """
    if conv.dtype == "float16":
        return []
    tiny = TINY[conv.dtype]
    return [
        _probe(
            f"{kind} {value:g}",
            conv,
            np.full(shape, value),
            _one_tap(conv, np.full(conv.channels_out, weight)),
            _none(conv, bias),
        )
        for kind, value, weight in (
            ("subnormal", tiny / 2, 1.0),
            ("subnormal-output", tiny, 0.5),
            ("subnormal-input", tiny / 2, 4.0),
        )
    ]


def survivor(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int, side: str) -> Probe:
    """Return the probe that asks whether 1 + 2^-bits survives on one side of the product."""
    value = 1.0 + 2.0**-bits
    weight, filled = (value, 1.0) if side == "weight" else (1.0, value)
    taps = _one_tap(conv, np.full(conv.channels_out, weight))
    return _probe(f"{side} {bits}", conv, np.full(shape, filled), taps, _none(conv, bias))


def _one_tap(conv: Convolution, values: Array, turn: int = 0) -> Array:
    w = np.zeros((conv.taps, conv.channels_out))
    channels = np.arange(conv.channels_out)
    w[((channels + turn) * 7 + conv.taps // 2) % conv.taps, channels] = values
    return w.reshape(conv.filter_shape)


def _full_bits(rng: np.random.Generator, shape: tuple[int, ...], form: Format) -> Array:
    """Return values in ±[1, 2) whose last significant bit is 1."""
    steps = 2 ** (form.precision - 1)
    odd = rng.integers(0, steps // 2, shape) * 2 + 1
    return np.asarray((1.0 + odd / steps) * rng.choice([-1.0, 1.0], shape))


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _none(conv: Convolution, bias: bool) -> Array | None:
    return np.zeros(conv.channels_out) if bias else None


def _probe(name: str, conv: Convolution, x: Array, w: Array, b: Array | None) -> Probe:
    dtype = numpy_dtype(conv.dtype)
    wide = Tensors(w, b, x)
    answer = plain_fp64(conv, wide).astype(dtype)
    narrow = Tensors(w.astype(dtype), None if b is None else b.astype(dtype), x.astype(dtype))
    return Probe(name, narrow, answer)
