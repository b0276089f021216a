"""Outputs that someone else computed, from .npy and .npz files: a plan and a lab of two of them.

There are bits and nothing else: no kernel to probe, no order to replay, no machine to name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.behaviour.fit_widths import fit_widths
from convdiff.behaviour.known_faults import fit_data
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.layout import LAYOUTS, Order, layout_of, written
from convdiff.case.model import Case
from convdiff.case.nonfinite import is_finite
from convdiff.case.npy import array_shape, read_values
from convdiff.compare.other_ops import shape_owners
from convdiff.errors import CaseError, Place
from convdiff.lab.lab import Known, NotAsked, RunLog
from convdiff.lab.pace import Work
from convdiff.lab.watch import Watch
from convdiff.numerics.array import Array
from convdiff.plan.cell import EXACT, Cell, NoBits
from convdiff.plan.plan import Pair, Plan
from convdiff.plan.sampled import Part
from convdiff.runtime.model import ELSEWHERE, Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

T = TypeVar("T")

NO_KERNEL = NotAsked("two files have no kernel to ask")


@dataclass(frozen=True)
class Output:
    """One file: what it is called, and where its array is."""

    name: str
    path: Path
    member: str | None = None
    """The array's name inside an .npz file."""
    layout: str | None = None
    """nhwc or nchw; None: as the case's arrays lie."""


class OutputsLab:
    """Implements `Lab` for outputs that are there, of one case."""

    def __init__(
        self, conv: Convolution, tensors: Tensors, outputs: Mapping[Cell, Array], watch: Watch
    ) -> None:
        """Take outputs, NHWC in the case's dtype."""
        self._watch = watch
        self._conv, self._tensors, self._outputs = conv, tensors, outputs

    @property
    def log(self) -> RunLog:
        """No cell was run."""
        return RunLog(signal=self._watch.stop.signal)

    @property
    def fingerprints(self) -> Mapping[Runtime, Mapping[str, Any]]:
        """Nothing is known of who computed them."""
        return {cell.runtime: {} for cell in self._outputs}

    def inputs(self, cell: Cell) -> Tensors:
        """See `Lab.inputs`."""
        return self._tensors

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """See `Lab.observe`; all are there at once."""
        yield from cells

    def bits(self, cell: Cell) -> Array | NoBits:
        """See `Lab.bits`."""
        return self._outputs[cell]

    def part(self, cell: Cell) -> Part | None:
        """See `Lab.part`: all of an output is there."""
        return None

    def is_restless(self, cell: Cell) -> bool:
        """See `Lab.is_restless`: nothing is run."""
        return False

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        """See `Lab.behaviour`: what the numbers themselves prove, where they do.

        NaN and infinity in the data hide too much of them.
        """
        return self.compute(f"looking at {cell.runtime.id}", lambda: self._seen(cell))

    def _seen(self, cell: Cell) -> Behaviour | NotAsked:
        if not is_finite(self._tensors):
            return NO_KERNEL
        output = self._outputs[cell]
        x = np.ascontiguousarray(self._tensors.input_nhwc[: cell.batch, :, : cell.length])
        tensors = replace(self._tensors, input_nhwc=x)
        if output.shape == self._conv.output_shape(*x.shape[:3]):
            narrowed = fit_widths(self._conv, tensors, output)
            if narrowed:
                return Behaviour(Traits(narrowed=narrowed))
        mistake = fit_data(self._conv, tensors, output)
        if not mistake:
            return NO_KERNEL
        return Behaviour(None, mistake)

    def orders(self, cell: Cell) -> NotAsked:
        """See `Lab.orders`."""
        return NO_KERNEL

    def known(self, cell: Cell) -> Known:
        """See `Lab.known`."""
        return Known()

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        """See `Lab.paced`."""
        return self._watch.paced(items, work_of)

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        """See `Lab.compute`."""
        return self._watch.compute(what, work)


def plan_of(case: Case, a: Output, b: Output) -> Plan:
    """Return what is compared: B with A, and each with the exact result.

    Both are the case's at its longest length and largest batch.
    """
    one, other = (_cell(case, output.name) for output in (a, b))
    exact = [Pair("exact", replace(cell, op=EXACT), cell) for cell in (one, other)]
    pairs = (Pair("baseline", one, other), *exact)
    return Plan(case, (one.runtime, other.runtime), (one, other), pairs)


def read_output(case: Case, output: Output) -> Array:
    """Return a file's output in NHWC and in the case's dtype. Raises CaseError for one of another.

    An output of another convolution's shape is for the comparison to judge, where it is known
    whose.
    """
    location, reading = Place(output.name), Place("output")  # what reads a file names it itself
    order = _order(case, output.layout or case.layout)
    _refuse_shape(case, order, array_shape(output.path, output.member, reading), location)
    values = read_values(output.path, output.member, reading)
    whole = order.whole(values.shape)
    assert whole is not None, "its shape was checked"
    given, axes = order.lying(whole)
    turned = np.transpose(_held(case, values, location).reshape(given), axes)
    return np.ascontiguousarray(turned).reshape(order.turned(whole))


def _cell(case: Case, name: str) -> Cell:
    """Return whose an output is: nobody knows, so the device is the one that the case asks for."""
    runtime = Runtime(Interpreter(ELSEWHERE, ""), case.devices[0], name)
    return Cell(runtime, case.conv.op, case.lengths[-1], case.batches[-1])


def layout_notes(case: Case, outputs: Sequence[Output]) -> Iterator[str]:
    """Yield how files are read whose shape does not say it, where nobody said how they lie."""
    own = _order(case, case.layout)
    (name,) = (layout for layout in LAYOUTS if layout != case.layout)
    other = _order(case, name)
    if other.name == own.name or case.conv.channels_out == 1:
        return
    for output in outputs:
        shape = array_shape(output.path, output.member, Place("output"))
        if output.layout is None and _fits(case, own, shape) and _fits(case, other, shape):
            lies, might = (order.axes_of(shape) for order in (own, other))
            yield (
                f"{output.name} is taken for {lies}, as the case's arrays; {might} would have the"
                f" same shape: --layout {name}"
            )


def _order(case: Case, layout: str) -> Order:
    """Return how an output of the case lies in a file of this layout."""
    return replace(layout_of(layout, case.conv.op).input, high=case.output_order.high)


def _wanted(case: Case) -> tuple[int, ...]:
    return case.conv.output_shape(case.batches[-1], case.height, case.lengths[-1])


def _fits(case: Case, order: Order, shape: tuple[int, ...]) -> bool:
    """Return whether a file's shape is that of the case's output, lying so."""
    whole = order.whole(shape)
    return whole is not None and order.turned(whole) == _wanted(case)


def _refuse_shape(case: Case, order: Order, shape: tuple[int, ...], location: Place) -> None:
    """Raise CaseError for an output that no convolution of the case's input has."""
    if _fits(case, order, shape):
        return
    batch, length, whole = case.batches[-1], case.lengths[-1], order.whole(shape)
    needs = order.named(order.spoken(_wanted(case)))
    for other in LAYOUTS:
        lying = _order(case, other)
        if lying.name != order.name and _fits(case, lying, shape):
            raise CaseError(
                location,
                f"an output of shape {written(shape)}; the case's is {needs}: "
                f"this looks like {lying.axes_of(shape)}"
                f" (`layout: {other}` where the case's arrays lie so, too, else --layout {other})",
            )
    inputs = (batch, case.height, length, case.conv.channels_in)
    known = whole is not None and shape_owners(case.conv, inputs, order.turned(whole))
    if not known:
        at = f"at batch {batch} and length {length}"
        raise CaseError(
            location, f"an output of shape {written(shape)}; the case's is {needs} ({at})"
        )


def _held(case: Case, values: Array, location: Place) -> Array:
    """Return values in the case's dtype. Raises CaseError where it is not theirs.

    A wider dtype may carry them; a narrower one is what they were rounded to.
    """
    dtype = numpy_dtype(case.conv.dtype)
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        held = values.astype(dtype)
        kept = np.array_equal(held.astype(values.dtype), values, equal_nan=values.dtype.kind == "f")
    if values.dtype.itemsize <= dtype.itemsize or not kept:
        raise CaseError(
            location,
            f"the output is {values.dtype.name}, but the case computes in {dtype.name}; "
            f"its key is `dtype: {case.conv.dtype}`",
        )
    return held
