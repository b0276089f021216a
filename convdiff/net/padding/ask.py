"""A question about a net's padding, put to every runtime of a session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.case.arrays import beyond_memory, numpy_dtype
from convdiff.case.device import Device
from convdiff.case.net_model import NetCase
from convdiff.errors import ConvdiffError
from convdiff.lab.availability import stand
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.net.along import along
from convdiff.net.padding.live import Live
from convdiff.net.padding.pad import Asked, pad
from convdiff.net.padding.paper import Paper
from convdiff.net.padding.result import Answer, Padding, Question
from convdiff.net.receptive_field import receptive_field
from convdiff.net.subject import subject_of

TABLES = 32
"""Bytes that it takes to know what one tap of one position reads, with what is made of it."""


def question_of(
    case: NetCase, data: tuple[int, ...], fixed: int | None, value: float, *, thorough: bool
) -> Asked:
    """Return what is asked of a net; fixed: the length to match, the net's longest where None.

    Raises ConvdiffError for lengths that do not go together, and for a net whose receptive field
    has no bounds.
    """
    fixed, longest = fixed or case.lengths[-1], case.lengths[-1]
    if data[-1] > longest:
        raise ConvdiffError(f"--data {data[-1]}: the net's input has {longest:,} columns")
    if data[-1] >= fixed:
        raise ConvdiffError(f"--data {data[-1]}: the fixed length is {fixed:,}; name a longer one")
    with np.errstate(over="ignore"):
        if not np.isfinite(np.array(value).astype(numpy_dtype(case.net.dtype))):
            raise ConvdiffError(f"--value {value:g}: beyond the range of {case.net.dtype}")
    taps = sum(step.axis.kernel for step in along(case.net) if step.axis is not None)
    beyond = beyond_memory(TABLES * fixed * max(1, taps))
    if beyond:
        raise ConvdiffError(f"--fixed {fixed}: too long: it needs about {beyond}")
    try:
        fields = {name: receptive_field(case.net, name, fixed) for name in case.net.outputs}
        paper = Paper(case.net, fixed)
    except ValueError as error:
        raise ConvdiffError(f"--fixed {fixed}: {error}") from None
    question = Question(case.name, data, fixed, value, fields, paper.moving)
    return Asked(question, paper, tuple(paper.groups(data)), thorough)


def ask(
    asked: Asked, case: NetCase, session: Session, devices: Sequence[Device] | None, tell: Tell
) -> Answer:
    """Return what each runtime answers; devices: asked for instead of the case's."""
    subject, value = subject_of(case), asked.question.value
    paddings = []
    for standing in stand(session.interpreters, devices or case.devices, session.pool):
        if standing.available:
            observe = Live(subject, standing.runtime, session.pool, value)
            paddings.append(pad(asked, observe, standing, tell))
        else:
            paddings.append(Padding(standing, reason=str(standing.reason)))
    return Answer(asked.question, asked.groups, tuple(paddings))
