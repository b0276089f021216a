"""How a kernel quantises: found to the step by what it makes of weights and inputs one by one.

Each way to quantise is a row of a table, and says what every weight and input becomes. A kernel
that quantises so gives back just that, of filters of a single weight and of all numbers at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.probes import Kind, Probe, full_bits, no_bias, probe_of, weight_delta
from convdiff.behaviour.quantisation import Quantisation, slack_of
from convdiff.behaviour.seen import sources
from convdiff.behaviour.steps import (
    END_OF_SYMMETRIC,
    NEAR_STEP,
    OUTPUTS,
    Steps,
    other_ways,
    usual_ways,
)
from convdiff.behaviour.subject import Subject
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS
from convdiff.worker.ops.convolution import Convolution

FEWEST_READINGS = 16
"""Numbers that must be seen on their steps, half of them moved: one may lie there by chance."""
STORED_READINGS = 24 * FEWEST_READINGS
"""The same of numbers that are on steps of outputs when they are seen."""
FIRST_READINGS, MOST_READINGS = 8, 48
"""Probes that read weights: the first ones, and the most of a kernel that moves any."""
ARRAYS = {"weights": "filter_hwio", "inputs": "input_nhwc"}
"""The array of each side."""
INPUT_TURNS = 2
"""Probes that read inputs."""


def quantisations(subject: Subject, *, usual: bool) -> Iterator[Quantisation]:
    """Yield how a kernel may quantise, which what is read of it one by one does not contradict.

    usual: steps of a scale of one's own are left out, since numbers of few bits lie on such, too.
    """
    if subject.form.precision < 11:  # bfloat16 is hardly finer than the steps
        return
    weights = _read_weights(subject)
    inputs = subject.ask([unlike_channels(subject, turn) for turn in range(INPUT_TURNS)])
    yield from _read(subject, weights, inputs, None, usual=usual)
    if all(_is_stored(answer) for answer in [*weights, *inputs]):
        weights += subject.ask([reading(subject, turn) for turn in _more(weights)])
        inputs += subject.ask([unlike_channels(subject, turn) for turn in _more(inputs)])
        yield from _read(subject, weights, inputs, OUTPUTS, usual=True)


def _read(
    subject: Subject,
    weights: list[Answer],
    inputs: list[Answer],
    outputs: Steps | None,
    *,
    usual: bool,
) -> Iterator[Quantisation]:
    """Yield what weights and inputs lie on, where outputs lie on these steps themselves."""
    way = Quantisation(None, None, outputs)
    for side, answers in (("weights", weights), ("inputs", inputs)):
        way = _with_steps(subject, answers, way, side, usual=usual)
    if way.weights or way.inputs:
        yield way


def _more(answers: list[Answer]) -> range:
    """Return the turns to come: outputs that are stored on steps show few of what is moved."""
    readings = sum(int(np.count_nonzero(answer.right)) for answer in answers)
    turns = math.ceil(STORED_READINGS * len(answers) / max(1, readings))
    return range(len(answers), min(turns, MOST_READINGS))


def _is_stored(answer: Answer) -> bool:
    """Return whether outputs lie on steps of their range."""
    slack = slack_of(FORMATS["float32"]) * np.abs(answer.output)
    nearest, _ = OUTPUTS.stored(answer.output, slack, answer.right)
    step = OUTPUTS.scale_of(answer.right)
    return bool((np.abs(answer.output - nearest) <= NEAR_STEP * step + slack).all())


def unlike_channels(subject: Subject, turn: int) -> Probe:
    """Return inputs with all their bits that meet one weight a channel, of ranges that differ.

    TensorFlow Lite's own kernels quantise inputs in another way where all channels have one range.
    """
    like, conv = weight_delta(subject.conv, subject.shape, subject.bias, turn), subject.conv
    w = like.tensors.filter_hwio.astype(np.float64) * _weight_met(conv)
    x = like.tensors.input_nhwc.astype(np.float64)
    return probe_of(Kind.INPUT, conv, x, w, no_bias(conv, subject.bias), turn)


def varied(subject: Subject, turn: int) -> Probe:
    """Return inputs and weights of several sizes, with all their bits, and a whole bias."""
    rng = np.random.default_rng([5, turn])
    x, w = (_several_sizes(rng, subject, of) for of in (subject.shape, subject.conv.filter_shape))
    bias = rng.integers(1, 8, subject.conv.channels_out).astype(np.float64)
    return probe_of(Kind.VARIED, subject.conv, x, w, bias if subject.bias else None, turn)


def _weight_met(conv: Convolution) -> Array:
    """Return the one weight of each channel that inputs are read by, (cout,)."""
    return np.asarray(1 + 3 * (np.arange(conv.channels_out) % 3) / 8)


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


def _with_steps(
    subject: Subject, answers: list[Answer], given: Quantisation, side: str, *, usual: bool
) -> Quantisation:
    """Return the way whose steps all readings lie on, though they are no values of their own.

    side: the field of `Quantisation` whose steps are looked for.
    """
    first, array = answers[0], ARRAYS[side]
    values = getattr(first.probe.tensors, array).astype(np.float64)
    others: Iterable[Steps] = ()
    if not usual:
        met = _weight_met(subject.conv) if side == "inputs" else 1.0
        others = other_ways(array, values, first.output / met, first.right / met)
    for steps in chain(usual_ways(array), others):
        way = replace(given, **{side: steps})
        if _fits(subject, answers, way, given):
            return way
    return given


def _fits(
    subject: Subject, answers: list[Answer], way: Quantisation, without: Quantisation
) -> bool:
    """Return whether readings are a way's, and it moves them: without it they would be others."""
    moved = readings = 0
    for answer in answers:
        # What 1 becomes is known where the steps of the inputs are.
        shares = END_OF_SYMMETRIC if way.inputs is None else (1.0,)
        for expected, slack in way.results(subject.conv, answer.probe.tensors, shares):
            if (np.abs(answer.output - expected) <= slack).all():
                break
        else:
            return False
        unmoved = without.result(subject.conv, answer.probe.tensors)[0]
        moved += int((np.abs(unmoved - expected) > 4 * slack).sum())
        readings += int(np.count_nonzero(answer.right))
    return readings >= FEWEST_READINGS and moved >= FEWEST_READINGS // 2
