"""Asks a cell's own runtime, at its own shape, the probes' questions, and reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.behaviour.known_faults import fit_integers
from convdiff.behaviour.probes import Probe, first_probes, integer_sets, survivor, widths
from convdiff.behaviour.rounding_widths import (
    Answer,
    accumulator_bits,
    beyond,
    bits_of,
    flushed,
    noise_of,
)
from convdiff.case.arrays import Tensors
from convdiff.case.model import Case, Convolution
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, Format
from convdiff.plan.cell import Cell

Measure = Callable[[Cell, Sequence[Tensors]], "list[Array | None]"]
"""Run a cell on other numbers of the same shapes; None where it gave no bits."""


def behaviour_of(case: Case, cell: Cell, measure: Measure) -> Behaviour:
    """Return what probes of a case's cell find."""
    return Behaviour(*examine_cell(cell, case.conv, case.height, case.bias is not None, measure))


NOTHING_KEPT = "a filter of a single weight changes what it gives back, however few its bits"
"""No narrowing does that: even a format of one fraction bit has 1.5."""


class SilentError(Exception):
    """The runtime did not answer a probe."""


def examine_cell(
    cell: Cell, conv: Convolution, height: int, bias: bool, measure: Measure
) -> tuple[Traits | None, str | None]:
    """Return a cell's traits and, if integers came out wrong, what they look like.

    None in place of traits means that the runtime did not answer.
    """
    try:
        return _Examination(cell, conv, height, bias, measure).result()
    except SilentError:
        return None, None


@dataclass(frozen=True)
class _Examination:
    """One cell's questions, the later ones asked because of earlier answers."""

    cell: Cell
    conv: Convolution
    height: int
    bias: bool
    measure: Measure

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.cell.batch, self.height, self.cell.length, self.conv.channels_in)

    @property
    def form(self) -> Format:
        return FORMATS[self.conv.dtype]

    def ask(self, probes: Sequence[Probe]) -> list[Answer]:
        outputs = self.measure(self.cell, [probe.tensors for probe in probes])
        answers = []
        for probe, output in zip(probes, outputs, strict=True):
            if output is None:
                raise SilentError
            answers.append(Answer(probe, output.astype(np.float64)))
        return answers

    def result(self) -> tuple[Traits, str | None]:
        answers = self.ask(first_probes(self.conv, self.shape, self.bias))
        for answer in answers:
            if answer.output.shape != answer.right.shape:
                seen, expected = answer.output.shape, answer.right.shape
                said = f"gives shape {seen}, expected {expected}"
                return Traits(shape_error=said), self.fits(_named(answers, "integer"))
        (weight,) = _named(answers, "weight")
        subnormals = [a for a in answers if a.probe.name.startswith("subnormal")]
        flushes = flushed(subnormals, weight)
        transform, error = self.read_transform(answers)
        bits, narrowed = self.form.precision, None
        if not transform:
            bits, narrowed = self.read_width(answers)
            if narrowed == NOTHING_KEPT:
                narrowed, error = None, error or narrowed
        integers = _named(answers, "integer")
        off = [beyond(self.conv, a, bits, capped=False) for a in integers]
        if not any(wrong.any() for wrong in off):
            if (narrowed and any(a.off.any() for a in integers)) or transform:
                integers = self.few_integers(integers, bits)
            off = [beyond(self.conv, a, self.form.precision, capped=True) for a in integers]
        integer_error = _said_of(integers, off) or error
        if not (integer_error or transform or narrowed) and any(a.off.any() for a in integers):
            most = max(float(a.off.max()) for a in integers)
            transform = f"sums of small integers are off by {most:.1e}: a transform algorithm"
        fits = self.fits(integers, nearest=bool(transform)) if integer_error else None
        return Traits(None, integer_error, transform, narrowed, flushes), fits

    def few_integers(self, integers: list[Answer], bits: int) -> list[Answer]:
        """Ask for integers of which rounding, narrow or a transform's, can hide no lost tap.

        What few bits can count is exact in any order again. (One bit less, as −2^p + 1 keeps one
        more than 2^p + 1 does.) A transform's noise stays below 17·u·A.
        """
        if bits == self.form.precision:
            capped = [beyond(self.conv, a, bits, capped=True) for a in integers]
            if not any(wrong.any() for wrong in capped):
                return integers
            bits -= 5
        return self.ask(integer_sets(self.conv, self.shape, self.bias, max(3, bits - 1)))

    def fits(self, integers: Sequence[Answer], *, nearest: bool = False) -> str | None:
        """Name the mistake that all wrong integers look like; what fits but once is chance."""
        names = set()
        for answer in integers:
            output = np.rint(answer.output) if nearest else answer.output
            if not np.array_equal(output, answer.right):
                names.add(fit_integers(self.conv, answer.probe, output))
        return names.pop() if len(names) == 1 else None

    def read_transform(self, answers: Sequence[Answer]) -> tuple[str | None, str | None]:
        """Return what looks like a transform, and what is no rounding and so an error."""
        transform = None
        inputs = {answer.probe.name.split()[1]: answer for answer in _named(answers, "input")}
        for answer in _named(answers, "contamination"):
            leak = _leak(answer, inputs[answer.probe.name.split()[1]])
            share = float((leak / np.abs(answer.right)).max())
            if share <= 8 * self.form.unit_roundoff:
                continue
            said = f"large inputs outside a tap's field change its product (by {share:.1e} of it)"
            if leak.max() > noise_of(answer.probe.tensors.input_nhwc, self.form):
                return None, f"{said}, by more than a transform algorithm's rounding can"
            transform = f"{said}: a transform algorithm such as Winograd or FFT"
        for kind in ("input", "weight"):
            alone = _named(answers, kind)
            if bits_of(alone, self.form) is not None:
                continue
            most = max(float(answer.off.max()) for answer in alone)
            said = f"a filter of a single weight gives back other values (off by up to {most:.1e})"
            # A transform mixes inputs: what changes products with no leak between them is none.
            if not transform or any(a.off.max() > noise_of(a.right, self.form) for a in alone):
                return None, f"{said}, which is no rounding of the right ones"
        return transform, None

    def read_width(self, answers: Sequence[Answer]) -> tuple[int, str | None]:
        """Return how many bits are kept at least, and what is narrow, in words."""
        full = self.form.precision
        kept = [bits_of(_named(answers, kind), self.form) for kind in ("input", "weight")]
        bits = min(full if found is None else found for found in kept)
        turns = [
            turn
            for turn, answer in enumerate(_named(answers, "width"))
            if (answer.output != 1).any()
        ]
        if turns:
            ladder = [widths(self.conv, self.shape, self.bias, e) for e in range(1, full)]
            found = accumulator_bits(self.ask([rung[turn] for rung in ladder for turn in turns]))
            if found is not None:
                return min(bits, found), f"the accumulator keeps {found} of {full} bits"
        return bits, self.survivors() if bits < full else None

    def survivors(self) -> str | None:
        """Find the largest p for which 1 + 2^-p survives on each side of the product."""
        full = self.form.precision - 1
        kept = {}
        for side in ("input", "weight"):
            probes = [
                survivor(self.conv, self.shape, self.bias, bits, side)
                for bits in range(1, full + 1)
            ]
            right = [not answer.off.any() for answer in self.ask(probes)]
            kept[side] = max((bits for bits, kept in enumerate(right, 1) if kept), default=0)
        if 0 in kept.values():
            return NOTHING_KEPT
        names = {7: " (bfloat16)", 10: " (TF32 or float16)"}
        told = [
            f"{side}s keep {bits} of {full} fraction bits{names.get(bits, '')}"
            for side, bits in kept.items()
            if bits < full
        ]
        return ", ".join(told) or "inputs or weights are rounded where they vary"


def _named(answers: Sequence[Answer], kind: str) -> list[Answer]:
    """Return the answers to a probe and its repetitions."""
    return [answer for answer in answers if answer.probe.name.split()[0] == kind]


def _leak(answer: Answer, alike: Answer) -> Array:
    """Return how much large neighbours change each product.

    Both probes hold the same inputs, some of them scaled by a power of two in the second: a direct
    sum gives the same bits at another exponent, however it rounds its inputs.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.abs(answer.output - alike.output * (answer.right / alike.right))
    return np.asarray(np.where(np.isfinite(change), change, np.inf))


def _said_of(integers: Sequence[Answer], off: Sequence[Array]) -> str | None:
    """Say how far integers are off, if by more than any rounding explains."""
    if not all(np.isfinite(answer.output).all() for answer in integers):
        return "small integers give NaN or infinity"
    if not any(wrong.any() for wrong in off):
        return None
    count = sum(int(np.count_nonzero(answer.off)) for answer in integers)
    size = sum(answer.off.size for answer in integers)
    most = max(float(answer.off.max()) for answer in integers)
    return f"exact on no integers: off by up to {most:g} at {count} of {size} outputs"
