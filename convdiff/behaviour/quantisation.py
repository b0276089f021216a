"""Quantisation: weights or inputs that lie on a few evenly spaced steps, found to the step.

Each way to quantise is a row of a table, and says what every weight and input becomes. A kernel
that quantises so gives back just that, of filters of a single weight and of all numbers at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.probes import Kind, Probe, full_bits, no_bias, probe_of
from convdiff.behaviour.seen import sources
from convdiff.behaviour.steps import END_OF_SYMMETRIC, Steps, other_ways, usual_ways
from convdiff.behaviour.subject import Subject
from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64, scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format
from convdiff.worker.ops.convolution import Convolution

FEWEST_READINGS = 16
"""Numbers that must be seen on their steps, half of them moved: one may lie there by chance."""
FIRST_READINGS, MOST_READINGS = 8, 48
"""Probes that read weights: the first ones, and the most of a kernel that moves any."""
SCALING = 16.0
"""u of fp32 by which what is on a step may be off: scales are products and quotients of fp32."""


@dataclass(frozen=True)
class Quantisation:
    """How weights and inputs are quantised, if they are."""

    weights: Steps | None
    inputs: Steps | None

    @property
    def words(self) -> str:
        """Say it as evidence."""
        return ", ".join(str(side) for side in (self.weights, self.inputs) if side)

    def result(self, conv: Convolution, tensors: Tensors) -> tuple[Array, Array]:
        """Return what a sound kernel that quantises so gives, and how far off it may yet be."""
        x, x_off = _by(self.inputs, tensors.input_nhwc)
        w, w_off = _by(self.weights, tensors.filter_hwio)
        moved = Tensors(w, tensors.bias, x)
        unsure = Tensors(w_off, None, np.abs(x) + x_off)
        slack = plain_fp64(conv, unsure) + plain_fp64(conv, Tensors(np.abs(w), None, x_off))
        return plain_fp64(conv, moved), slack + _rounding(conv) * scales(conv, moved).absolute

    def bound(self, conv: Convolution, tensors: Tensors) -> Array:
        """Return how far from the exact results quantisation takes outputs at most, NHWC.

        A step of each number that is quantised: half of one, and where the range is cut, another.
        """
        x, w = (np.abs(a.astype(np.float64)) for a in (tensors.input_nhwc, tensors.filter_hwio))
        x_step = self.inputs.scale_of(tensors.input_nhwc) if self.inputs else np.zeros_like(x)
        w_step = self.weights.scale_of(tensors.filter_hwio) if self.weights else np.zeros_like(w)
        steps = plain_fp64(conv, Tensors(w_step, None, x))
        steps += plain_fp64(conv, Tensors(w + w_step, None, x_step))
        return np.asarray(steps + _rounding(conv) * (scales(conv, tensors).absolute + steps))


def quantisation(subject: Subject, inputs: list[Answer], *, usual: bool) -> Quantisation | None:
    """Return how a kernel quantises, None if it does not.

    inputs: what filters of a single 1 gave back of inputs with all their bits. usual: steps of a
    scale of one's own are left out, since numbers of few bits lie on such, too.
    """
    if subject.form.precision < 11:  # bfloat16 is hardly finer than the steps
        return None
    weights = _found(subject, _read_weights(subject), "filter_hwio", usual=usual)
    of_inputs = _found(subject, inputs, "input_nhwc", usual=usual)
    return Quantisation(weights, of_inputs) if weights or of_inputs else None


def varied(subject: Subject, turn: int) -> Probe:
    """Return inputs and weights of several sizes, with all their bits, and a whole bias."""
    rng = np.random.default_rng([5, turn])
    x, w = (_several_sizes(rng, subject, of) for of in (subject.shape, subject.conv.filter_shape))
    bias = rng.integers(1, 8, subject.conv.channels_out).astype(np.float64)
    return probe_of(Kind.VARIED, subject.conv, x, w, bias if subject.bias else None, turn)


def _read_weights(subject: Subject) -> list[Answer]:
    """Ask for weights one by one: one input of each group and image is 1, all others are 0."""
    answers: list[Answer] = []
    read = moved = 0
    for turn in range(MOST_READINGS):
        (answer,) = subject.ask([reading(subject, turn)])
        answers.append(answer)
        read += int(np.count_nonzero(answer.right))
        moved += int(np.count_nonzero(answer.off))
        enough = read >= 2 * FEWEST_READINGS and (not moved or moved >= FEWEST_READINGS)
        if enough or (turn + 1 >= FIRST_READINGS and not moved):
            break
    return answers


def reading(subject: Subject, turn: int) -> Probe:
    """Return the probe whose outputs are single weights, or 0 where none meets the input."""
    conv, shape = subject.conv, subject.shape
    rng = np.random.default_rng([4, turn])
    w = _several_sizes(rng, subject, conv.filter_shape)
    w *= 1 + np.arange(conv.channels_out) % 3  # of channels of one range, none can be told apart
    x, width = np.zeros(shape), conv.filter_shape[2]
    met = (slice(None), *_met(rng, subject), slice(turn % width, None, width))
    conv.spread(x)[met] = 1.0
    return probe_of(Kind.READING, conv, x, w, no_bias(conv, subject.bias), turn)


def _met(rng: np.random.Generator, subject: Subject) -> Iterator[int]:
    """Yield where an input lies that weights meet, by axis: one that the middle output reads."""
    rows, columns = (int(rng.integers(extent)) for extent in subject.conv.window)
    tap = [int(k) for k in np.unravel_index(rows, subject.conv.kernel[:-1])] + [columns]
    for read, index in zip(sources(subject.conv, subject.shape), tap, strict=True):
        at = int(read[len(read) // 2, index])
        inside = read[read >= 0]
        if at < 0 and len(inside):
            at = int(inside[len(inside) // 2])
        yield max(at, 0)


def _several_sizes(rng: np.random.Generator, subject: Subject, shape: tuple[int, ...]) -> Array:
    """Return values with all their bits, of four exponents: no format has them evenly spaced."""
    return np.asarray(full_bits(rng, shape, subject.form) * 2.0 ** -rng.integers(0, 4, shape))


def _found(subject: Subject, answers: list[Answer], side: str, *, usual: bool) -> Steps | None:
    """Return the way whose steps all readings lie on, though they are no values of their own."""
    first = answers[0]
    values = getattr(first.probe.tensors, side).astype(np.float64)
    others = [] if usual else other_ways(side, values, first.output, first.right)
    for steps in chain(usual_ways(side), others):
        if _fits(subject, answers, side, steps):
            return steps
    return None


def _fits(subject: Subject, answers: list[Answer], side: str, steps: Steps) -> bool:
    share = _slack(subject.form)
    moved = seen = 0
    for answer in answers:
        tensors = answer.probe.tensors
        values, off = steps.quantised(getattr(tensors, side).astype(np.float64))
        changed = replace(tensors, **{side: values})
        expected = plain_fp64(subject.conv, changed)
        unsure = plain_fp64(subject.conv, replace(_sizes(changed), **{side: off}))
        slack = unsure + share * np.abs(expected)
        if not _near(answer.output, expected, slack):
            return False
        moved += int((np.abs(answer.right - expected) > 4 * slack).sum())
        seen += int(np.count_nonzero(answer.right))
    return seen >= FEWEST_READINGS and moved >= FEWEST_READINGS // 2


def _near(output: Array, expected: Array, slack: Array) -> bool:
    """Return whether outputs are as expected, but for what 1 becomes on the other side."""
    return any((np.abs(output - end * expected) <= slack).all() for end in END_OF_SYMMETRIC)


def _by(steps: Steps | None, values: Array) -> tuple[Array, Array]:
    wide = values.astype(np.float64)
    return steps.quantised(wide) if steps else (wide, np.zeros_like(wide))


def _sizes(tensors: Tensors) -> Tensors:
    return Tensors(np.abs(tensors.filter_hwio), None, np.abs(tensors.input_nhwc))


def _rounding(conv: Convolution) -> float:
    """Return by what share of A sums of numbers on steps may be off."""
    form = FORMATS[conv.dtype]
    return 2 * _slack(form) + (conv.taps + 1) * form.unit_roundoff


def _slack(form: Format) -> float:
    """Return by what share a number on a step may be off."""
    return SCALING * 2.0**-24 + (2 * form.unit_roundoff if form.precision < 24 else 0.0)
