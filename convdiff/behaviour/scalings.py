"""Factors of inputs, weights or partial sums: such a kernel rounds even integers on its way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.mistaken_outputs import factors
from convdiff.compare.fp64 import scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.convolution import Convolution

MORE = 4
"""Roundings of an output beside its sum's: of the constant, inputs, weights and the bias."""
CHANCE = 1e-9
"""How likely a factor may fit by chance."""


def scalings(conv: Convolution, answers: Sequence[Answer]) -> Iterator[str]:
    """Yield the names of the factors that explain all answers but for the rounding of a sum."""
    if any(answer.output.shape != answer.right.shape for answer in answers):
        return
    if _is_one_factor(answers):  # of what is right to the last bit: it would have been told
        return
    bias = answers[0].probe.tensors.bias is not None
    for name, factor, divisor in factors(conv):
        times = factor / divisor
        if abs(math.frexp(times)[0]) == 0.5:  # by a power of two: nothing is rounded
            continue
        if _explains(conv, answers, times, times):
            yield f"the output is multiplied by {name}"
        if bias and _explains(conv, answers, times, 1.0):
            yield f"the products, but not the bias, are multiplied by {name}"


def _is_one_factor(answers: Sequence[Answer]) -> bool:
    """Return whether every output is the right one times a single number, rounded once."""
    least, most = -np.inf, np.inf
    for answer in answers:
        some = answer.right != 0
        right, output = answer.right[some], answer.output[some]
        unit = format_of(answer.probe.tensors.input_nhwc).unit_roundoff
        ratio, slack = output / right, 1.01 * unit * np.abs(output / right)
        least = max(least, float((ratio - slack).max(initial=-np.inf)))
        most = min(most, float((ratio + slack).min(initial=np.inf)))
    return least <= most


def _explains(conv: Convolution, answers: Sequence[Answer], times: float, of_bias: float) -> bool:
    log_chance = 0.0
    for answer in answers:
        b = _bias(conv, answer)
        expected = (answer.right - b) * times + b * of_bias
        absolute = scales(conv, answer.probe.tensors).absolute * abs(times) + np.abs(b)
        unit = format_of(answer.probe.tensors.input_nhwc).unit_roundoff
        slack = (conv.taps + MORE) * unit * absolute
        if not (np.abs(answer.output - expected) <= slack).all():
            return False
        sizes = np.maximum(np.abs(expected - answer.right), slack)
        some = slack > 0
        log_chance += float(np.log(slack[some] / sizes[some]).sum())
    return log_chance < math.log(CHANCE)


def _bias(conv: Convolution, answer: Answer) -> Array:
    bias = answer.probe.tensors.bias
    return np.zeros(conv.channels_out) if bias is None else bias.astype(np.float64)
