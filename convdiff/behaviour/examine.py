"""Asks a cell's own runtime, at its own shape, the probes' questions, and reads the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from convdiff.behaviour.answer import Answer, noise_of, of_kind
from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.behaviour.more_integers import more_integers
from convdiff.behaviour.naming import name_of
from convdiff.behaviour.narrow_places import narrow_places
from convdiff.behaviour.noise import failing, noise_in
from convdiff.behaviour.probes import (
    ENOUGH_OUTPUTS,
    MOST_TURNS,
    SUBNORMALS,
    Kind,
    Probe,
    first_probes,
    integer_sets,
    ranges,
    widths,
)
from convdiff.behaviour.quantisation import Quantisation, quantisation, varied
from convdiff.behaviour.rounding_widths import accumulator_bits, beyond, bits_of, flushed
from convdiff.behaviour.subject import Subject
from convdiff.behaviour.sums import sums_beside_format
from convdiff.behaviour.where import where_wrong
from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, HALF_OVERFLOW, Format
from convdiff.plan.cell import Cell
from convdiff.worker.ops.conv2d import Convolution

Measure = Callable[[Cell, Sequence[Tensors]], "list[Array | None]"]
"""Run a cell on other numbers of the same shapes; None where it gave no bits."""

VARIED = "inputs or weights are rounded where they vary"
"""What is said of bits that are lost in none of the places where probes look."""


def behaviour_of(case: Case, cell: Cell, measure: Measure) -> Behaviour:
    """Return what probes of a case's cell find."""
    return examine_cell(cell, case.conv, case.height, case.bias is not None, measure)


def examine_cell(
    cell: Cell, conv: Convolution, height: int, bias: bool, measure: Measure
) -> Behaviour:
    """Return what probes find of a cell of this convolution, with inputs of this height."""
    try:
        return _Examination(cell, conv, height, bias, measure).result()
    except SilentError:
        return Behaviour(None)


class SilentError(Exception):
    """The runtime did not answer a probe."""


@dataclass(frozen=True)
class Transform:
    """Whether products depend on values outside of a tap's field, in words."""

    seen: str | None = None
    """What looks like a transform algorithm."""
    error: str | None = None
    """What no transform's rounding can do."""


@dataclass(frozen=True)
class Width:
    """How many bits of inputs, weights and sums are kept at the least."""

    bits: int
    narrowed: str | None = None
    """What keeps fewer bits than the format has, in words."""
    error: str | None = None
    """What no narrowing does, in words."""


@dataclass(frozen=True)
class _Examination:
    """One cell's questions, the later ones asked because of earlier answers."""

    cell: Cell
    conv: Convolution
    height: int
    bias: bool
    measure: Measure
    asked: list[Answer] = field(default_factory=list)
    """All answers so far."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.cell.batch, self.height, self.cell.length, self.conv.channels_in)

    @property
    def form(self) -> Format:
        return FORMATS[self.conv.dtype]

    @property
    def subject(self) -> Subject:
        return Subject(self.conv, self.shape, self.bias, self.ask)

    def ask(self, probes: Sequence[Probe]) -> list[Answer]:
        outputs = self.measure(self.cell, [probe.tensors for probe in probes])
        answers = []
        for probe, output in zip(probes, outputs, strict=True):
            if output is None:
                raise SilentError
            answers.append(Answer(probe, output.astype(np.float64)))
        self.asked.extend(answers)
        return answers

    def result(self) -> Behaviour:
        answers = self.ask(first_probes(self.conv, self.shape, self.bias))
        found = self.read(answers)
        traits = found.traits
        assert traits is not None, "answers were read"
        noise = noise_in(self.subject, self.asked if traits.error else failing(answers))
        if noise:
            return Behaviour(Traits(unstable=noise))
        if traits.clean:
            return replace(found, sums=sums_beside_format(self.subject))
        return found

    def read(self, answers: list[Answer]) -> Behaviour:
        """Return what the first probes' answers say, and those that follow from them."""
        integers = of_kind(answers, Kind.INTEGERS)
        shape_error = _shape_error(answers)
        if shape_error:
            return self.named(Traits(shape_error=shape_error), integers)
        found = self.read_roundings(answers, integers)
        traits = found.traits
        assert traits is not None, "answers were read"
        if not (traits.error or traits.transform):
            return found
        inputs = of_kind(answers, Kind.INPUT)
        quantised = quantisation(self.subject, inputs, usual=traits.narrowed is not None)
        return self.read_quantised(quantised, found) if quantised else found

    def read_roundings(self, answers: list[Answer], integers: list[Answer]) -> Behaviour:
        """Return what there is of transforms, narrow formats and errors."""
        transform = self.read_transform(answers)
        width = Width(self.form.precision)
        if not transform.seen:
            width = self.read_width(answers)
        integers, integer_error = self.read_integers(integers, transform, width)
        (weight,) = of_kind(answers, Kind.WEIGHT)
        traits = Traits(
            integer_error=integer_error or transform.error or width.error,
            transform=transform.seen,
            narrowed=width.narrowed,
            overflows=self.read_range() if width.narrowed else None,
            flushes=flushed(of_kind(answers, *SUBNORMALS), weight),
        )
        if traits.clean:
            traits = replace(traits, transform=_noise_of_sums(integers))
        if not traits.integer_error:
            return Behaviour(traits)
        return self.named(traits, integers)

    def read_quantised(self, quantised: Quantisation, found: Behaviour) -> Behaviour:
        """Return what is found of a kernel that quantises: it must do so, and nothing else.

        An error stays one unless inputs and weights with all their bits give what their steps give.
        """
        outputs = math.prod(self.conv.output_shape(*self.shape[:3]))
        turns = max(1, min(MOST_TURNS, ENOUGH_OUTPUTS // outputs))
        for answer in self.ask([varied(self.subject, turn) for turn in range(turns)]):
            expected, slack = quantised.result(self.conv, answer.probe.tensors)
            if not (np.abs(answer.output - expected) <= slack).all():
                assert found.traits is not None, "answers were read"
                return replace(found, traits=replace(found.traits, quantised=quantised.words))
        return Behaviour(Traits(quantised=quantised.words), quantisation=quantised)

    def read_integers(
        self, integers: list[Answer], transform: Transform, width: Width
    ) -> tuple[list[Answer], str | None]:
        """Return the answers that count, and how far they are off where no rounding explains it."""
        wrong = self.any_beyond(integers, width.bits, capped=False)
        if not wrong:
            inexact = any(answer.off.any() for answer in integers)
            if transform.seen or (width.narrowed and inexact):
                integers = self.few_integers(integers, width.bits)
            wrong = self.any_beyond(integers, self.form.precision, capped=True)
        return integers, _integer_error(integers) if wrong else None

    def any_beyond(self, integers: Sequence[Answer], bits: int, *, capped: bool) -> bool:
        """Return whether integers are off by more than sums kept in so many bits explain."""
        return any(beyond(self.conv, answer, bits, capped=capped).any() for answer in integers)

    def few_integers(self, integers: list[Answer], bits: int) -> list[Answer]:
        """Ask for integers of which rounding, narrow or a transform's, can hide no lost tap.

        What few bits can count is exact in any order again. (One bit less: the width probes may
        have read −2^p + 1, which p bits hold, where 2^p + 1 takes p + 1.) A transform's noise stays
        below 17·u·A.
        """
        if bits == self.form.precision:
            if not self.any_beyond(integers, bits, capped=True):
                return integers
            bits -= 5
        return self.ask(integer_sets(self.conv, self.shape, self.bias, max(3, bits - 1)))

    def with_more(self, integers: list[Answer]) -> list[Answer]:
        """Return answers to more integers too: what fits one by chance does not fit others."""
        try:
            return [*integers, *self.ask(more_integers(self.conv, integers[0]))]
        except SilentError:
            return integers

    def named(self, traits: Traits, integers: list[Answer]) -> Behaviour:
        """Return the name of what is wrong; where it has none, say where it is wrong."""
        answers = self.with_more(integers)
        read = answers
        if traits.transform:
            read = [replace(answer, output=np.rint(answer.output)) for answer in answers]
        fits = name_of(self.conv, read)
        where = "" if fits or traits.shape_error else self.where(answers)
        if where:
            traits = replace(traits, integer_error=f"{traits.integer_error}, {where}")
        return Behaviour(traits, fits)

    def where(self, integers: Sequence[Answer]) -> str:
        """Say where integers are wrong, in words; empty where they are not."""
        full = self.form.precision
        wrong = [beyond(self.conv, answer, full, capped=True) for answer in integers]
        return where_wrong(np.logical_or.reduce(wrong))

    def read_transform(self, answers: Sequence[Answer]) -> Transform:
        """Return what looks like a transform, or what is no rounding and so an error."""
        seen = None
        inputs = {answer.probe.turn: answer for answer in of_kind(answers, Kind.INPUT)}
        for answer in of_kind(answers, Kind.CONTAMINATION):
            leak = _leak(answer, inputs[answer.probe.turn])
            share = float((leak / np.abs(answer.right)).max())
            if share <= 8 * self.form.unit_roundoff:
                continue
            text = f"large inputs outside a tap's field change its product (by {share:.1e} of it)"
            if leak.max() > noise_of(answer.probe.tensors.input_nhwc, self.form):
                if _is_of_large(leak, answer, inputs[answer.probe.turn], self.form):
                    text = "large inputs give other products than small ones"
                    return Transform(error=f"{text} (by {share:.1e}), which is no rounding")
                return Transform(error=f"{text}, by more than a transform algorithm's rounding can")
            seen = f"{text}: a transform algorithm such as Winograd or FFT"
        error = self.read_single_weights(answers, mixing=seen is not None)
        return Transform(error=error) if error else Transform(seen)

    def read_single_weights(self, answers: Sequence[Answer], *, mixing: bool) -> str | None:
        """Return how a filter of a single weight is off, where no rounding explains it."""
        for kind in (Kind.INPUT, Kind.WEIGHT):
            alone = of_kind(answers, kind)
            if bits_of(alone, self.form) is not None:
                continue
            # A transform mixes inputs: what changes products with no leak between them is none.
            if not mixing or any(a.off.max() > noise_of(a.right, self.form) for a in alone):
                most = max(float(answer.off.max()) for answer in alone)
                return (
                    "a filter of a single weight gives back other values "
                    f"(off by up to {most:.1e}), which is no rounding of the right ones"
                )
        return None

    def read_width(self, answers: Sequence[Answer]) -> Width:
        """Return how many bits are kept at least, and what is narrow."""
        full = bits = self.form.precision
        for kind in (Kind.INPUT, Kind.WEIGHT):
            kept = bits_of(of_kind(answers, kind), self.form)
            if kept is not None:
                bits = min(bits, kept)
        sums = self.read_accumulator(of_kind(answers, Kind.WIDTH))
        said = [] if sums is None else [f"the accumulator keeps {sums} of {full} bits"]
        if bits < (sums or full):
            places = narrow_places(self.subject, sums or full)
            if places.error:
                return Width(bits, error=places.error)
            said += places.narrow or [VARIED]
        return Width(min(bits, sums or full), ", ".join(said) or None)

    def read_range(self) -> str | None:
        """Return whether what is narrow is float16, which holds no large numbers, in words."""
        if self.form.largest < HALF_OVERFLOW:
            return None
        probes = ranges(self.conv, self.shape, self.bias)
        if all(np.isfinite(answer.output).all() for answer in self.ask(probes)):
            return None
        return "numbers of 2^16 become infinite, as in float16"

    def read_accumulator(self, answers: Sequence[Answer]) -> int | None:
        """Return how many bits an accumulator keeps that does not keep all, if any number does."""
        turns = [answer.probe.turn for answer in answers if (answer.output != 1).any()]
        if not turns:
            return None
        ladder = []
        for exponent in range(1, self.form.precision):
            rung = widths(self.conv, self.shape, self.bias, exponent)
            ladder += [rung[turn] for turn in turns]
        return accumulator_bits(self.ask(ladder))


def _shape_error(answers: Sequence[Answer]) -> str | None:
    for answer in answers:
        shape, expected = answer.output.shape, answer.right.shape
        if shape != expected:
            return f"gives shape {shape}, expected {expected}"
    return None


def _leak(answer: Answer, plain: Answer) -> Array:
    """Return how much large neighbours change each product; fp64, infinite where not finite.

    Both probes hold the same inputs, some of them scaled by a power of two in `answer`'s: a direct
    sum gives the same bits at another exponent, however it rounds its inputs.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.abs(answer.output - plain.output * (answer.right / plain.right))
    return np.asarray(np.where(np.isfinite(change), change, np.inf))


def _is_of_large(leak: Array, answer: Answer, plain: Answer, form: Format) -> bool:
    """Return whether only products of inputs that are large themselves change."""
    small = answer.right == plain.right
    return bool((leak[small] <= 8 * form.unit_roundoff * np.abs(answer.right[small])).all())


def _noise_of_sums(integers: Sequence[Answer]) -> str | None:
    """Return what integers show of a transform that the other probes did not: they are inexact."""
    most = max(float(answer.off.max()) for answer in integers)
    return f"sums of small integers are off by {most:.1e}: a transform algorithm" if most else None


def _integer_error(integers: Sequence[Answer]) -> str:
    """Say how far integers are off."""
    if not all(np.isfinite(answer.output).all() for answer in integers):
        return "small integers give NaN or infinity"
    count = sum(int(np.count_nonzero(answer.off)) for answer in integers)
    size = sum(answer.off.size for answer in integers)
    most = max(float(answer.off.max()) for answer in integers)
    return f"exact on no integers: off by up to {most:g} at {count} of {size} outputs"
