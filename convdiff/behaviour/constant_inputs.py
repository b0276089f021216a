"""Questions whose input is one number everywhere: how many bits are kept, and what is flushed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convdiff.behaviour.probes import Kind, Probe, full_bits, no_bias, one_tap, probe_of
from convdiff.behaviour.seen import taps_together
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, HALF_OVERFLOW
from convdiff.worker.ops.convolution import Convolution

Shape = tuple[int, ...]
"""NHWC of an input."""


@dataclass(frozen=True)
class Constant:
    """A question to a kernel whose input is one number everywhere."""

    kind: Kind
    value: float
    """Of the input."""
    weights: Array
    """(taps, cout), in fp64"""
    bias: Array | None = None
    """(cout,), in fp64; None of zeros."""
    turn: int = 0
    bits: int = 0
    asked: float = 0.0
    """See `Probe`."""

    def probe(self, conv: Convolution, shape: Shape, bias: bool) -> Probe:
        """Return it as a probe of an input of this NHWC shape."""
        x, w = np.full(shape, self.value), self.weights.reshape(conv.filter_shape)
        b = no_bias(conv, bias) if self.bias is None else self.bias
        made = probe_of(self.kind, conv, x, w, b, self.turn, self.bits)
        return replace(made, asked=self.asked)


def first_constants(conv: Convolution, shape: Shape, bias: bool) -> list[Constant]:
    """Return the constants that every questioned cell gets; `shape` is the NHWC of its input."""
    own = [weight_bits(conv, shape), *([bias_bits(conv)] if bias else [])]
    return [*own, *width_constants(conv, shape), *subnormals(conv, shape)]


def weight_bits(conv: Convolution, shape: Shape) -> Constant:
    """One weight with all its bits an output channel, inputs of 1: the output is the weight."""
    values = full_bits(np.random.default_rng(2), (conv.channels_out,), FORMATS[conv.dtype])
    return Constant(Kind.WEIGHT, 1.0, one_tap(conv, shape, values))


def bias_bits(conv: Convolution) -> Constant:
    """Return a bias with all its bits and weights of 0: the output is the bias."""
    values = full_bits(np.random.default_rng(4), (conv.channels_out,), FORMATS[conv.dtype])
    none = np.zeros((conv.taps, conv.channels_out))
    return Constant(Kind.BIAS, 1.0, none, values)


def widths(conv: Convolution, shape: Shape, bias: bool, exponent: int = 0) -> list[Probe]:
    """Return `width_constants` as probes."""
    return [one.probe(conv, shape, bias) for one in width_constants(conv, shape, exponent)]


def width_constants(conv: Convolution, shape: Shape, exponent: int = 0) -> list[Constant]:
    """2^e + 1 − 2^e at three taps: 1 in any order, unless the accumulator keeps no e + 1 bits.

    e is p − 1 where none is given. The three take the taps in turns.
    """
    together = taps_together(conv, shape)
    if len(together) < 3:
        return []
    exponent = exponent or FORMATS[conv.dtype].precision - 1
    inputs = 2.0 ** (exponent // 2)  # half of the exponent on each side: fp16 holds it too
    taps = together[[0, len(together) // 2, -1]]
    constants = []
    for turn in range(3):
        w = np.zeros((conv.taps, conv.channels_out))
        products = np.roll([2.0**exponent, 1.0, -(2.0**exponent)], turn)
        for tap, product in zip(taps, products, strict=True):
            w[tap] = product / inputs
        constants.append(Constant(Kind.WIDTH, inputs, w, turn=turn, bits=exponent, asked=1.0))
    return constants


def subnormals(conv: Convolution, shape: Shape) -> list[Constant]:
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
    return [
        Constant(kind, value, one_tap(conv, shape, np.full(conv.channels_out, weight)))
        for kind, value, weight in rows
    ]


def survivor(conv: Convolution, shape: Shape, bias: bool, bits: int, side: str) -> Probe:
    """Return the probe that asks whether 1 + 2^-bits survives as an input, a weight or a bias."""
    value = 1.0 + 2.0**-bits
    weight, filled = (value, 1.0) if side == "weight" else (1.0, value)
    taps, added = one_tap(conv, shape, np.full(conv.channels_out, weight)), None
    if side == "bias":
        taps, added = np.zeros_like(taps), np.full(conv.channels_out, value)
    return Constant(Kind.SURVIVOR, filled, taps, added, bits=bits).probe(conv, shape, bias)


def ranges(conv: Convolution, shape: Shape, bias: bool) -> list[Probe]:
    """2^16·1 and 1·2^16, one tap a channel: float16 holds neither."""
    probes = []
    for value, weight in ((HALF_OVERFLOW, 1.0), (1.0, HALF_OVERFLOW)):
        taps = one_tap(conv, shape, np.full(conv.channels_out, weight))
        probes.append(Constant(Kind.RANGE, value, taps).probe(conv, shape, bias))
    return probes
