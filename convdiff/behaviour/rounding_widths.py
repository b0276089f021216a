"""Roundings told from errors: to how many bits inputs, weights and sums are kept, if to any."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from convdiff.behaviour.answer import Answer, noise_of
from convdiff.behaviour.probes import Kind
from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format
from convdiff.worker.ops.convolution import Convolution

FEWEST_BITS = 3
"""Bits that the narrowest format keeps: fp8 e5m2."""
NOISE_OF_SUM = 64.0
"""What a transform makes of a whole sum, in u of A: 17 at the most where a product gets 786."""
HALF_OVERFLOW_EXPONENT = 16
"""fp16 holds no number of 2^16 or more: an accumulator of that format overflows there."""
FEW_OUTPUTS = 64
"""Outputs that are looked at first, as most roundings that are tried fit none of them."""


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


ROUNDINGS: tuple[Callable[[Array, int], Array], ...] = (_nearest, _truncated, _away, _halves)


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
        for bits in range(most, FEWEST_BITS - 1, -1):
            if any(_fits(rounding, right, output, bits, slack) for rounding in ROUNDINGS):
                return bits
    return None


def _fits(
    rounding: Callable[[Array, int], Array], right: Array, output: Array, bits: int, slack: float
) -> bool:
    """Return whether each output is the right value rounded so; the first few are tried first."""
    for some in (slice(FEW_OUTPUTS), slice(None)):
        if not (np.abs(rounding(right[some], bits) - output[some]) <= slack).all():
            return False
    return True


def accumulator_bits(answers: Sequence[Answer]) -> int | None:
    """Return how many bits the accumulator keeps, from width probes at every exponent.

    None if the readings are none that any accumulator of some p bits can give: 1 up to p, beyond it
    the 1 is lost or rounded up to a power of two, and from 2^16 on fp16 may overflow.
    """
    lost = [answer.probe.bits for answer in answers if answer.off.any()]
    bits = min(lost, default=0)
    if bits <= FEWEST_BITS:
        return None
    for answer in answers:
        exponent, output = answer.probe.bits, answer.output[answer.asked]
        finite = output[np.isfinite(output)]
        if finite.size < output.size and exponent < HALF_OVERFLOW_EXPONENT:
            return None
        powers = 2.0 ** np.arange(max(1, exponent - bits + 2))
        if not np.isin(finite, [0.0, *powers]).all():
            return None
    return bits


def flushed(answers: Sequence[Answer], normal: Answer) -> str | None:
    """Return which subnormals are taken as zero, in words.

    normal: a probe of normal numbers at the same taps: what is zero there too was not flushed.
    """
    zero = [a for a in answers if ((a.output == 0) & (normal.output != 0)).any()]
    return flushed_words({answer.probe.kind for answer in zero})


def flushed_words(kinds: Collection[Kind]) -> str | None:
    """Return which subnormals are taken as zero, in words; kinds: of the probes that gave zero."""
    sides = []
    if Kind.SUBNORMAL_INPUT in kinds:
        sides.append("inputs")
    if Kind.SUBNORMAL_OUTPUT in kinds:
        sides.append("outputs")
    if sides:
        return f"subnormal {' and '.join(sides)} are taken as zero"
    return "subnormal outputs of subnormal inputs are taken as zero" if kinds else None


def beyond(conv: Convolution, answer: Answer, bits: int, *, capped: bool) -> Array:
    """Return the mask of integers that are off by more than rounding explains, NHWC.

    That is γₙ(2^-bits)·A of sums kept in few bits, and a transform's noise of sums kept whole.
    Capped, it is less than the smallest product: a lost tap is never taken for rounding.
    """
    if not answer.off.any():
        return np.zeros(answer.off.shape, bool)
    absolute = scales(conv, answer.probe.tensors).absolute
    form = FORMATS[conv.dtype]
    share = NOISE_OF_SUM * form.unit_roundoff
    if bits < form.precision:
        product = (conv.taps + 1) * 2.0**-bits
        share = max(share, product / (1 - product)) if product < 1 else np.inf
    allowed = share * np.where(absolute > 0, absolute, 1.0)
    if capped:
        allowed = np.minimum(allowed, 0.75 * _smallest_product(answer.probe.tensors))
    return np.asarray((answer.off > allowed) | ~np.isfinite(answer.output))


def _smallest_product(tensors: Tensors) -> float:
    product = 1.0
    for array in (tensors.input_nhwc, tensors.filter_hwio):
        sizes = np.abs(array.astype(np.float64))
        product *= float(sizes.min(initial=np.inf, where=sizes > 0))
    return product
