"""What sums of small integers show: they are exact in any order, and what is off is no rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.behaviour.answer import Answer, of_kind
from convdiff.behaviour.probes import Kind, integer_sets
from convdiff.behaviour.rounding_widths import beyond
from convdiff.behaviour.seen import blind
from convdiff.behaviour.subject import Subject
from convdiff.behaviour.transform import Transform
from convdiff.behaviour.where import where_wrong
from convdiff.behaviour.width import Width
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution


def integers_that_count(
    subject: Subject, integers: list[Answer], transform: Transform, width: Width
) -> tuple[list[Answer], str | None]:
    """Return the answers that count, and how far they are off where no rounding explains it."""
    conv, full = subject.conv, subject.form.precision
    wrong = _any_beyond(conv, integers, width.bits, capped=False)
    if not wrong:
        inexact = any(answer.off.any() for answer in integers)
        if transform.seen or (width.narrowed and inexact):
            integers = _few(subject, integers, width.bits)
        wrong = _any_beyond(conv, integers, full, capped=True)
    exact = not (transform.seen or width.narrowed)
    if wrong or (exact and _off_at(integers, blind(conv, subject.shape))):
        return integers, error_of(integers) + _unseen(subject, integers)
    return integers, None


def unwritten(subject: Subject, answers: Sequence[Answer]) -> str | None:
    """Return how a filter of a single weight is off where nothing is seen but padding, if so."""
    alone = of_kind(answers, Kind.INPUT, Kind.WEIGHT)
    most = max(float(answer.off.max()) for answer in alone)
    unseen = _unseen(subject, alone)
    if not (most and unseen):
        return None
    return f"a filter of a single weight gives back other values (off by up to {most:.1e}){unseen}"


def where(subject: Subject, integers: Sequence[Answer]) -> str:
    """Say where integers are wrong, in words; empty where they are not."""
    full = subject.form.precision
    wrong = [beyond(subject.conv, answer, full, capped=True) for answer in integers]
    mask = np.logical_or.reduce(wrong)
    if subject.conv.rank == 3:
        outputs = subject.conv.outputs(*subject.shape[1:3])
        mask = mask.reshape(len(mask), *outputs, mask.shape[-1])
    return where_wrong(mask)


def noise_of_sums(integers: Sequence[Answer]) -> str | None:
    """Return what integers show of a transform that the other probes did not: they are inexact."""
    most = max(float(answer.off.max()) for answer in integers)
    return f"sums of small integers are off by {most:.1e}: a transform algorithm" if most else None


def _any_beyond(conv: Convolution, integers: Sequence[Answer], bits: int, *, capped: bool) -> bool:
    """Return whether integers are off by more than sums kept in so many bits explain."""
    return any(beyond(conv, answer, bits, capped=capped).any() for answer in integers)


def _few(subject: Subject, integers: list[Answer], bits: int) -> list[Answer]:
    """Ask for integers of which rounding, narrow or a transform's, can hide no lost tap.

    What few bits can count is exact in any order again. (One bit less: the width probes may have
    read −2^p + 1, which p bits hold, where 2^p + 1 takes p + 1.) A transform's noise stays below
    17·u·A.
    """
    if bits == subject.form.precision:
        if not _any_beyond(subject.conv, integers, bits, capped=True):
            return integers
        bits -= 5
    sets = integer_sets(subject.conv, subject.shape, subject.bias, max(3, bits - 1))
    return subject.ask(sets)


def error_of(integers: Sequence[Answer]) -> str:
    """Say how far integers are off."""
    if not all(np.isfinite(answer.output).all() for answer in integers):
        return "small integers give NaN or infinity"
    count = sum(int(np.count_nonzero(answer.off)) for answer in integers)
    size = sum(answer.off.size for answer in integers)
    most = max(float(answer.off.max()) for answer in integers)
    probes = f" of {len(integers)} probes" if len(integers) > 1 else ""
    return f"exact on no integers: off by up to {most:g} at {count} of {size} outputs{probes}"


def _unseen(subject: Subject, integers: Sequence[Answer]) -> str:
    """Say that all outputs that are off see nothing but padding, if so."""
    if _off_at(integers, ~blind(subject.conv, subject.shape)):
        return ""
    return ", all of which see padding only and must be 0, or the bias: memory that nobody wrote"


def _off_at(integers: Sequence[Answer], places: Array) -> bool:
    """Return whether outputs at some places, (OH, OW), are off."""
    return any(bool(answer.off[:, places].any()) for answer in integers)
