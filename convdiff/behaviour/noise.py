"""Noise is looked for before a bug is named: what failed is asked once more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.subject import Subject

MOST_ASKED = 16
"""Failing probes that are asked again, the first ones; where there are many, noise is frequent."""


def noise_in(subject: Subject, answers: Sequence[Answer]) -> str | None:
    """Return how answers to the same probe differ, in words; None where none does."""
    failing = [answer for answer in answers if _is_off(answer)][:MOST_ASKED]
    again = subject.ask([answer.probe for answer in failing])
    differing = 0
    for first, second in zip(failing, again, strict=True):
        differing += not np.array_equal(first.output, second.output, equal_nan=True)
    if not differing:
        return None
    asked = f"{differing} of {len(failing)} probes that failed" if len(failing) > 1 else "a probe"
    return f"{asked} gave other bits when asked again: a race, or memory that nobody wrote"


def _is_off(answer: Answer) -> bool:
    if answer.output.shape != answer.right.shape:
        return True
    return bool(answer.off.any())
