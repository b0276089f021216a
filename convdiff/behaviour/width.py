"""How many bits of inputs, weights, the bias and sums are kept at the least, and what is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.behaviour.answer import Answer, of_kind
from convdiff.behaviour.constant_inputs import ranges, widths
from convdiff.behaviour.narrow_places import narrow_bias, narrow_places
from convdiff.behaviour.probes import Kind
from convdiff.behaviour.rounding_widths import accumulator_bits, bits_of
from convdiff.behaviour.subject import Subject
from convdiff.numerics.floats import HALF_OVERFLOW

VARIED = "inputs or weights are rounded where they vary"
"""What is said of bits that are lost in none of the places where probes look."""


@dataclass(frozen=True)
class Width:
    """How many bits of inputs, weights, the bias and sums are kept at the least."""

    bits: int
    narrowed: str | None = None
    """What keeps fewer bits than the format has, in words."""
    error: str | None = None
    """What no narrowing does, in words."""


def width(subject: Subject, answers: Sequence[Answer]) -> Width:
    """Return how many bits are kept at least, and what is narrow."""
    full = subject.form.precision
    bits = min(_kept(subject, answers, kind) for kind in (Kind.INPUT, Kind.WEIGHT))
    sums = _accumulator(subject, of_kind(answers, Kind.WIDTH))
    facts = [] if sums is None else [f"the accumulator keeps {sums} of {full} bits"]
    if bits < (sums or full):
        places = narrow_places(subject, sums or full)
        if places.error:
            return Width(bits, error=places.error)
        facts += places.narrow or [VARIED]
    of_bias = _kept(subject, answers, Kind.BIAS)
    if of_bias < full:
        fact = narrow_bias(subject)
        facts += [fact] if fact else []
    return Width(min(bits, sums or full, of_bias), ", ".join(facts) or None)


def _kept(subject: Subject, answers: Sequence[Answer], kind: Kind) -> int:
    """Return how many bits come back in answers of a kind: all where that is no rounding."""
    of_it, full = of_kind(answers, kind), subject.form.precision
    return (bits_of(of_it, subject.form) if of_it else None) or full


def _accumulator(subject: Subject, answers: Sequence[Answer]) -> int | None:
    """Return how many bits an accumulator keeps that does not keep all, if any number does."""
    turns = [answer.probe.turn for answer in answers if answer.off.any()]
    if not turns:
        return None
    ladder = []
    for exponent in range(1, subject.form.precision):
        rung = widths(subject.conv, subject.shape, subject.bias, exponent)
        ladder += [rung[turn] for turn in turns]
    return accumulator_bits(subject.ask(ladder))


def overflow(subject: Subject) -> str | None:
    """Return whether what is narrow is float16, which holds no large numbers, in words."""
    if subject.form.largest < HALF_OVERFLOW:
        return None
    probes = ranges(subject.conv, subject.shape, subject.bias)
    if all(np.isfinite(answer.output).all() for answer in subject.ask(probes)):
        return None
    return "numbers of 2^16 become infinite, as in float16"
