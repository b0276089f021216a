"""Noise is looked for before a bug is named: what failed is asked once more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.probes import SUBNORMALS
from convdiff.behaviour.subject import Subject

MOST_ASKED = 24
"""Probes that are asked again, the first ones; where there are many, noise is frequent."""


def noise_in(subject: Subject, answers: Sequence[Answer]) -> str | None:
    """Return how these probes are answered when they are asked again, in words; None if as before.

    A bug that comes and goes may fail twice alike: ask those that were answered well, too.
    """
    before = answers[:MOST_ASKED]
    if not before:
        return None
    again = subject.ask([answer.probe for answer in before])
    differing = 0
    for first, second in zip(before, again, strict=True):
        differing += not np.array_equal(first.output, second.output, equal_nan=True)
    if not differing:
        return None
    share = f"{differing} of {len(before)} probes" if len(before) > 1 else "a probe"
    return f"{share} gave other bits when asked again: a race, or memory that nobody wrote"


def failing(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that are off by more than flushing subnormals to zero explains."""
    return [answer for answer in answers if _fails(answer)]


def _fails(answer: Answer) -> bool:
    if answer.output.shape != answer.right.shape:
        return True
    off = answer.off != 0
    if answer.probe.kind in SUBNORMALS:
        off &= answer.output != 0
    return bool(off.any())
