"""Asks a cell's own runtime, at its own shape, the probes' questions, and reads the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from convdiff.behaviour.answer import Answer, of_kind
from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.behaviour.checks import Check, checked
from convdiff.behaviour.find_quantisation import quantisations, varied
from convdiff.behaviour.first_probes import ENOUGH_OUTPUTS, MOST_TURNS, first_probes
from convdiff.behaviour.integers import (
    error_of,
    integers_that_count,
    noise_of_sums,
    unwritten,
    where,
)
from convdiff.behaviour.more_integers import more_integers
from convdiff.behaviour.naming import name_of
from convdiff.behaviour.noise import failing, noise_in
from convdiff.behaviour.probes import SUBNORMALS, Kind, Probe, with_step
from convdiff.behaviour.quantisation import Quantisation
from convdiff.behaviour.rounding_widths import flushed
from convdiff.behaviour.subject import Subject
from convdiff.behaviour.sums import sums_beside_format
from convdiff.behaviour.transform import transform
from convdiff.behaviour.width import Width, overflow, width
from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.compare.other_ops import wanted_beside
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell
from convdiff.plan.sampled import Part
from convdiff.worker.ops.convolution import Convolution

Measure = Callable[[Cell, Sequence[Tensors]], "Sequence[Array | Part | None]"]
"""Run a cell on other numbers of the same shapes, or a part of it; None where it gave no bits."""
PutCheck = Callable[[Cell, Check], "tuple[int, int] | None"]
"""Puts a check to a cell, as `checks.Ask` has it."""


def unchecked(_cell: Cell, _check: Check) -> None:
    """Put no check."""


def behaviour_of(
    case: Case, cell: Cell, measure: Measure, check: PutCheck = unchecked
) -> Behaviour:
    """Return what probes of a case's cell find."""
    conv, bias = cell.conv_of(case.conv), case.bias is not None
    if not conv.then:
        return examine_cell(cell, conv, case.height, bias, measure, check)
    alone = replace(cell, bare=True)
    behaviour = examine_cell(alone, conv._replace(then=""), case.height, bias, measure, check)
    if behaviour.traits is None or not behaviour.traits.clean:
        return behaviour  # what the convolution does wrong, its step passes on
    added = None if case.added is None else case.added.shape
    return _of_step(cell, conv, case.height, bias, added, measure) or behaviour


def _of_step(
    cell: Cell,
    conv: Convolution,
    height: int,
    bias: bool,
    added: tuple[int, ...] | None,
    measure: Measure,
) -> Behaviour | None:
    """Return what integers show of a clean convolution with its step; None where they are right."""
    subject = _Interview(cell, measure).subject(conv, height, bias)
    try:
        answers = subject.ask(with_step(conv, subject.shape, bias, added))
        shape_error = _shape_error(subject, answers)
        if shape_error:
            return _named(subject, Traits(shape_error=shape_error), answers)
        if not any(answer.off.any() for answer in answers):
            return None
        noise = noise_in(subject, answers)
        if noise:
            return Behaviour(Traits(unstable=noise))
        traits = Traits(integer_error=f"with the step {conv.then}, {error_of(answers)}")
        return _named(subject, traits, answers)
    except SilentError:
        return Behaviour(None)


def examine_cell(
    cell: Cell,
    conv: Convolution,
    height: int,
    bias: bool,
    measure: Measure,
    check: PutCheck = unchecked,
) -> Behaviour:
    """Return what probes find of a cell of this convolution, with inputs of this height."""
    interview = _Interview(cell, measure)
    subject = interview.subject(conv, height, bias)
    try:
        traits = checked(conv, subject.shape, bias, partial(check, cell))
        if traits is not None:
            return Behaviour(traits, sums=sums_beside_format(subject))
        return _result(subject, interview)
    except SilentError:
        return Behaviour(None)


class SilentError(Exception):
    """The runtime did not answer a probe."""


@dataclass(frozen=True)
class _Interview:
    """One cell's questions, the later ones asked because of earlier answers."""

    cell: Cell
    measure: Measure
    answers: list[Answer] = field(default_factory=list)
    """All so far."""

    def subject(self, conv: Convolution, height: int, bias: bool) -> Subject:
        """Return what is asked: the convolution, of inputs of this height."""
        shape = (self.cell.batch, height, self.cell.length, conv.channels_in)
        return Subject(conv, shape, bias, self.ask)

    def ask(self, probes: Sequence[Probe]) -> list[Answer]:
        outputs = self.measure(self.cell, [probe.tensors for probe in probes])
        answers = []
        for probe, output in zip(probes, outputs, strict=True):
            if output is None:
                raise SilentError
            whole = output.within(probe.answer) if isinstance(output, Part) else output
            answers.append(Answer(probe, whole.astype(np.float64)))
        self.answers.extend(answers)
        return answers


def _result(subject: Subject, interview: _Interview) -> Behaviour:
    answers = subject.ask(first_probes(subject.conv, subject.shape, subject.bias))
    behaviour = _read(subject, answers)
    traits = behaviour.traits
    assert traits is not None, "answers were read"
    noise = noise_in(subject, interview.answers if traits.error else failing(answers))
    if noise:
        return Behaviour(Traits(unstable=noise))
    if traits.clean:
        return replace(behaviour, sums=sums_beside_format(subject))
    return behaviour


def _read(subject: Subject, answers: list[Answer]) -> Behaviour:
    """Return what the first probes' answers say, and those that follow from them."""
    integers = of_kind(answers, Kind.INTEGERS)
    shape_error = _shape_error(subject, answers)
    if shape_error:
        return _named(subject, Traits(shape_error=shape_error), integers)
    behaviour = _read_roundings(subject, answers, integers)
    traits = behaviour.traits
    assert traits is not None, "answers were read"
    if not (traits.error or traits.transform):
        return behaviour
    for quantised in quantisations(subject, usual=traits.narrowed is not None):
        behaviour = _read_quantised(subject, quantised, behaviour)
        if behaviour.quantisation is not None:
            break
    return behaviour


def _read_roundings(subject: Subject, answers: list[Answer], integers: list[Answer]) -> Behaviour:
    """Return what there is of transforms, narrow formats and errors."""
    mixed = transform(answers, subject.form)
    kept = Width(subject.form.precision) if mixed.seen else width(subject, answers)
    integers, integer_error = integers_that_count(subject, integers, mixed, kept)
    if not (integer_error or mixed.seen):
        integer_error = unwritten(subject, answers)
    (weight,) = of_kind(answers, Kind.WEIGHT)
    traits = Traits(
        integer_error=integer_error or mixed.error or kept.error,
        transform=mixed.seen,
        narrowed=kept.narrowed,
        overflows=overflow(subject) if kept.narrowed else None,
        flushes=flushed(of_kind(answers, *SUBNORMALS), weight),
    )
    if traits.clean:
        traits = replace(traits, transform=noise_of_sums(integers))
    if not traits.integer_error:
        return Behaviour(traits)
    return _named(subject, traits, integers)


def _read_quantised(subject: Subject, quantised: Quantisation, behaviour: Behaviour) -> Behaviour:
    """Return what is found of a kernel that quantises: it must do so, and nothing else.

    An error stays one unless inputs and weights with all their bits give what their steps give.
    """
    outputs = math.prod(subject.conv.output_shape(*subject.shape[:3]))
    turns = max(1, min(MOST_TURNS, ENOUGH_OUTPUTS // outputs))
    for answer in subject.ask([varied(subject, turn) for turn in range(turns)]):
        expected, slack = quantised.result(subject.conv, answer.probe.tensors)
        if not (np.abs(answer.output - expected) <= slack).all():
            assert behaviour.traits is not None, "answers were read"
            return replace(behaviour, traits=replace(behaviour.traits, quantised=quantised.words))
    return Behaviour(Traits(quantised=quantised.words), quantisation=quantised)


def _named(subject: Subject, traits: Traits, integers: list[Answer]) -> Behaviour:
    """Return the name of what is wrong; where it has none, say where it is wrong."""
    answers = _with_more(subject, integers)
    read = answers
    if traits.transform:
        read = [replace(answer, output=np.rint(answer.output)) for answer in answers]
    fits = name_of(subject.conv, read)
    at = "" if fits or traits.shape_error else where(subject, answers)
    if at:
        traits = replace(traits, integer_error=f"{traits.integer_error}, {at}")
    return Behaviour(traits, fits)


def _with_more(subject: Subject, integers: list[Answer]) -> list[Answer]:
    """Return answers to more integers too: what fits one by chance does not fit others."""
    try:
        return [*integers, *subject.ask(more_integers(subject.conv, integers[0]))]
    except SilentError:
        return integers


def _shape_error(subject: Subject, answers: Sequence[Answer]) -> str | None:
    for answer in answers:
        shape = answer.output.shape
        if shape != answer.right.shape:
            wanted = wanted_beside(subject.conv, subject.shape, shape)
            return f"gives shape {shape}, expected {wanted}"
    return None
