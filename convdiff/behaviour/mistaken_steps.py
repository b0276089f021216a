"""What is done wrong with the step that follows a convolution: rows of the table of mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from convdiff.behaviour.computation import Step
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import LIMITS

Changes = Iterator[tuple[str, Callable[[Step], Step]]]
"""What is made of the right step, by name."""


def mistaken_steps(conv: Convolution, *, bias: bool) -> Changes:
    """Yield what may be done instead of a convolution's step."""
    if not conv.then:
        return
    yield f"the step is missing: {conv.then}", lambda step: Step()
    if conv.then in LIMITS:
        yield from _of_limits(conv.then, bias=bias)
    else:
        yield "what is added is added twice", partial(_added, times=2.0)
        yield "what is added is subtracted", partial(_added, times=-1.0)


def _of_limits(then: str, *, bias: bool) -> Changes:
    if bias:
        early = f"{then} is applied before the bias is added"
        yield early, lambda step: replace(step, is_early=True)
    for other in LIMITS:
        if other != then:
            yield f"{other} is applied, not {then}", partial(replace, then=other)


def _added(step: Step, times: float) -> Step:
    return step if step.added is None else replace(step, added=times * step.added)
