"""Names what is wrong with integers: exactly, on several probes, and never by chance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.constants import constant
from convdiff.behaviour.glance import Glance
from convdiff.behaviour.guesses import (
    Guess,
    Started,
    of_other_ops,
    of_shifts,
    of_table,
    open_shifts,
)
from convdiff.behaviour.lost_taps import lost_taps
from convdiff.behaviour.pairs import pairs
from convdiff.behaviour.scalings import scalings
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_to
from convdiff.worker.ops.convolution import Convolution

CHANCE = 1e-3
"""How likely a name may fit by chance."""
GUESSES = 5000.0
"""Guesses that are made at the most, beside two for each tap."""
STEP = 0.25
"""Half of the distance between numbers that integers may be off by, or their halves."""
MANY = 1e5
"""What it takes chance to hit a number of many bits, as if it were an integer as large."""
ALIKE = 4
"""Names that are said where they are one thing at this size; more say nothing."""


def name_of(conv: Convolution, answers: Sequence[Answer]) -> str | None:
    """Return the one name that explains the answers to all integer probes, or None.

    Mistakes that give the same numbers on all of them are one thing at this size: “… or …”.
    """
    answers = [_folded(answer, conv) for answer in answers]
    wrong = [answer for answer in answers if not np.array_equal(answer.output, answer.right)]
    if not wrong or not all(_is_readable(answer) for answer in answers):
        return None
    clearest, started = max(wrong, key=_count), Started(conv)
    for names in (
        fitting(conv, _single(conv, clearest, wrong, started), answers, clearest),
        fitting(conv, _shifts(conv, clearest, started), answers, clearest),
        scalings(conv, answers),
        fitting(conv, pairs(conv, clearest, started), answers, clearest),
    ):
        fitted = dict.fromkeys(names)
        if fitted:
            return " or ".join(fitted) if len(fitted) <= ALIKE else None
    return None


def _single(
    conv: Convolution, clearest: Answer, wrong: Sequence[Answer], started: Started
) -> Iterator[Guess]:
    tensors = clearest.probe.tensors
    yield from of_table(conv, tensors, started, Glance(clearest))
    yield from of_other_ops(conv, tensors)
    if clearest.output.shape == clearest.right.shape:
        yield from of_shifts(conv, tensors, started)
        data = [(a.probe.tensors, a.right, a.output, np.zeros_like(a.right)) for a in wrong]
        yield from lost_taps(conv, data)
        yield from constant(conv, wrong)


def _shifts(conv: Convolution, clearest: Answer, started: Started) -> Iterator[Guess]:
    """Yield shifts that leave open what comes in: what explains that, too, is looked for first."""
    if clearest.output.shape == clearest.right.shape:
        yield from open_shifts(conv, clearest.probe.tensors, started)


def _folded(answer: Answer, conv: Convolution) -> Answer:
    """Return an answer whose output, of another depth or height than expected, is NHWC."""
    output = answer.output
    if output.ndim != conv.rank + 2 or conv.rank < 3:
        return answer
    return replace(answer, output=output.reshape(len(output), -1, *output.shape[-2:]))


def _is_readable(answer: Answer) -> bool:
    return answer.output.ndim == 4 and bool(np.isfinite(answer.output).all())


def _count(answer: Answer) -> int:
    if answer.output.shape != answer.right.shape:
        return answer.output.size
    return int(np.count_nonzero(answer.output != answer.right))


def fitting(
    conv: Convolution, guesses: Iterable[Guess], answers: Sequence[Answer], clearest: Answer
) -> Iterator[str]:
    """Yield the names of the guesses that explain all answers: the clearest is tried first."""
    for guess in guesses:
        if explains(guess, clearest) is None:
            continue
        explained = [explains(guess, answer) for answer in answers]
        sizes = [each for each in explained if each is not None]
        if len(sizes) == len(answers) and is_no_chance(conv, np.concatenate(sizes)):
            yield guess.name


def explains(guess: Guess, answer: Answer) -> Array | None:
    """Return by how much a guess moves each wrong output to where it is, or None if it does not."""
    expected, output, right = guess.result(answer.probe.tensors), answer.output, answer.right
    if expected is None or expected.shape != output.shape:
        return None
    says = ~np.isnan(expected)
    if not np.array_equal(
        round_to(expected, answer.probe.answer.dtype).astype(np.float64)[says], output[says]
    ):
        return None
    wrong, moved = says, np.abs(expected)
    if output.shape == right.shape:
        wrong, moved = says & (output != right), np.abs(expected - right)
    # A number that is no half of an integer has so many bits that none is right by chance.
    bits = np.where(np.rint(2 * expected) == 2 * expected, moved, np.maximum(moved, MANY))
    return np.asarray(bits[wrong])


def is_no_chance(conv: Convolution, sizes: Array) -> bool:
    """Return whether so many errors of these sizes are explained that it is no chance."""
    with np.errstate(divide="ignore"):
        log_chance = np.log(STEP / np.maximum(sizes, STEP)).sum()
    return bool(len(sizes) > 1 and np.log(GUESSES + 2 * conv.taps) + log_chance < np.log(CHANCE))
