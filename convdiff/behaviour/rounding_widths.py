"""Roundings told from errors: to how many bits inputs, weights and sums are kept, if to any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.behaviour.probes import Probe
from convdiff.case.arrays import Tensors
from convdiff.case.model import Convolution
from convdiff.compare.exact import scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format

FEWEST = 3
"""Bits that the narrowest format keeps: fp8 e5m2."""
NOISE = 1024.0
"""What a transform makes of a single product at the most, in u of the largest number it mixes.

Winograd F(4×4, 3×3): 160 at the most in fp64, fp32 and fp16 with 1, 4 and 64 channels. NNPACK's
F(6×6, 3×3), in PyTorch without oneDNN: 786.
"""
SHARE = 64.0
"""The same for a whole sum, in u of A: 17 at the most there."""
HALF_OVERFLOWS = 16
"""2^16 is no fp16."""


@dataclass(frozen=True)
class Answer:
    """A probe and what the runtime answered."""

    probe: Probe
    output: Array
    """In fp64."""

    @property
    def right(self) -> Array:
        """What a sound direct convolution answers, in fp64."""
        return self.probe.answer.astype(np.float64)

    @property
    def off(self) -> Array:
        """How far off each output is; infinite where it is not finite."""
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(self.output - self.right)
        return np.asarray(np.where(np.isfinite(error), error, np.inf))


def _nearest(values: Array, bits: int) -> Array:
    fraction, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits))


def _away(values: Array, bits: int) -> Array:
    fraction, exponent = np.frexp(np.abs(values))
    whole = np.floor(np.ldexp(fraction, bits) + 0.5)
    return np.asarray(np.copysign(np.ldexp(whole, exponent - bits), values))


def _truncated(values: Array, bits: int) -> Array:
    fraction, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.trunc(np.ldexp(fraction, bits)), exponent - bits))


def _halves(values: Array, bits: int) -> Array:
    """Keep two numbers of so many bits, as emulations of fp32 on bf16 or TF32 units do."""
    high = _nearest(values, bits)
    return high + _nearest(values - high, bits)


WAYS: tuple[Callable[[Array, int], Array], ...] = (_nearest, _truncated, _away, _halves)


def bits_of(answers: Sequence[Answer], form: Format) -> int | None:
    """Return p if every output is the right value rounded to p bits, in one way; None if not.

    A transform's noise may come on top where it is small beside the rounding.
    """
    right = np.concatenate([answer.right.ravel() for answer in answers])
    output = np.concatenate([answer.output.ravel() for answer in answers])
    if np.array_equal(right, output):
        return form.precision
    if not np.isfinite(output).all():
        return None
    noise = noise_of(right, form)
    for slack, most in ((0.0, form.precision - 1), (noise, form.precision - 9)):
        for bits in range(most, FEWEST - 1, -1):
            for way in WAYS:
                few = np.abs(way(right[:64], bits) - output[:64]) <= slack
                if few.all() and (np.abs(way(right, bits) - output) <= slack).all():
                    return bits
    return None


def noise_of(largest: Array, form: Format) -> float:
    """Return what a transform of numbers of this size may be off by on exact data."""
    return NOISE * form.unit_roundoff * float(np.abs(largest).max())


def accumulator_bits(answers: Sequence[Answer]) -> int | None:
    """Return how many bits the accumulator keeps, from width probes at every exponent.

    None if the readings are none that any accumulator of some p bits can give: 1 up to p, beyond it
    the 1 is lost or rounded up to a power of two, and from 2^16 on fp16 may overflow.
    """
    readings = [(int(answer.probe.name.split()[2]), answer.output) for answer in answers]
    lost = [exponent for exponent, output in readings if (output != 1).any()]
    if not lost or min(lost) <= FEWEST:
        return None
    bits = min(lost)
    for exponent, output in readings:
        finite = output[np.isfinite(output)]
        if finite.size < output.size and exponent < HALF_OVERFLOWS:
            return None
        allowed = [0.0, *(2.0**power for power in range(max(1, exponent - bits + 2)))]
        if not np.isin(finite, allowed).all():
            return None
    return bits


def flushed(answers: Sequence[Answer], alike: Answer) -> str | None:
    """Return which subnormals are taken as zero, in words.

    `alike` is a probe of normal numbers at the same taps: what is zero there too was not flushed.
    """
    seen = {
        answer.probe.name.split()[0]
        for answer in answers
        if ((answer.output == 0) & (alike.output != 0)).any()
    }
    sides = [side for side in ("input", "output") if f"subnormal-{side}" in seen]
    if sides:
        return f"subnormal {' and '.join(f'{side}s' for side in sides)} are taken as zero"
    return "subnormal outputs of subnormal inputs are taken as zero" if seen else None


def beyond(conv: Convolution, answer: Answer, bits: int, *, capped: bool) -> Array:
    """Return where integers are off by more than rounding explains.

    That is γₙ(2^-bits)·A of sums kept in few bits, and a transform's noise of sums kept whole.
    Capped, it is less than the smallest product: a lost tap is never taken for rounding.
    """
    absolute = scales(conv, answer.probe.tensors).absolute
    form = FORMATS[conv.dtype]
    share = SHARE * form.unit_roundoff
    if bits < form.precision:
        product = (conv.taps + 1) * 2.0**-bits
        share = max(share, product / (1 - product)) if product < 1 else np.inf
    allowed = share * np.where(absolute > 0, absolute, 1.0)
    if capped:
        allowed = np.minimum(allowed, 0.75 * _smallest_product(answer.probe.tensors))
    return np.asarray((answer.off > allowed) | ~np.isfinite(answer.output))


def _smallest_product(tensors: Tensors) -> float:
    found = 1.0
    for array in (tensors.input_nhwc, tensors.filter_hwio):
        sizes = np.abs(array.astype(np.float64))
        found *= float(sizes.min(initial=np.inf, where=sizes > 0))
    return found
