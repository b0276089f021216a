"""How many bits of inputs, weights and sums are kept at the least, and what is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.behaviour.answer import Answer, of_kind
from convdiff.behaviour.constant_inputs import ranges, widths
from convdiff.behaviour.narrow_places import narrow_places
from convdiff.behaviour.probes import Kind
from convdiff.behaviour.rounding_widths import accumulator_bits, bits_of
from convdiff.behaviour.subject import Subject
from convdiff.numerics.floats import HALF_OVERFLOW

VARIED = "inputs or weights are rounded where they vary"
"""What is said of bits that are lost in none of the places where probes look."""


@dataclass(frozen=True)
class Width:
    """How many bits of inputs, weights and sums are kept at the least."""

    bits: int
    narrowed: str | None = None
    """What keeps fewer bits than the format has, in words."""
    error: str | None = None
    """What no narrowing does, in words."""


def width(subject: Subject, answers: Sequence[Answer]) -> Width:
    """Return how many bits are kept at least, and what is narrow."""
    full = bits = subject.form.precision
    for kind in (Kind.INPUT, Kind.WEIGHT):
        kept = bits_of(of_kind(answers, kind), subject.form)
        if kept is not None:
            bits = min(bits, kept)
    sums = _accumulator(subject, of_kind(answers, Kind.WIDTH))
    facts = [] if sums is None else [f"the accumulator keeps {sums} of {full} bits"]
    if bits < (sums or full):
        places = narrow_places(subject, sums or full)
        if places.error:
            return Width(bits, error=places.error)
        facts += places.narrow or [VARIED]
    return Width(min(bits, sums or full), ", ".join(facts) or None)


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
