"""What a case shows at one size after the other, along its length, its batch or its channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors, digest, make_tensors
from convdiff.case.axes import Axis
from convdiff.case.model import Case
from convdiff.compare.align import shared
from convdiff.errors import ConvdiffError
from convdiff.lab.lab import Tell
from convdiff.numerics.array import Array
from convdiff.pipeline import Ask, run_case
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Runtime
from convdiff.search.history import Change, bisect
from convdiff.search.kept import Kept
from convdiff.search.observed import steady
from convdiff.search.product import Switch
from convdiff.search.shape import Shape, SizeAxis, of_shape
from convdiff.search.states import State, shown


class Sizes:
    """A case at each size of a line, the smallest first.

    More channels than the smallest size has are zeros, in the filter and in the input: the sums
    are those of the smallest, and only their order may be another.
    """

    def __init__(self, case: Case, axis: SizeAxis, line: Sequence[int]) -> None:
        """Make its arrays. Raises ConvdiffError for channels of a grouped convolution."""
        if axis == "channels" and case.conv.groups > 1:
            raise ConvdiffError(f"{case.name}: --channels: of one group, not {case.conv.groups}")
        self.case, self.axis, self.line = case, axis, tuple(line)
        self.tensors = make_tensors(case)
        self.reasons: dict[int, str] = {}
        """Why sizes could not be tried."""

    def at(self, size: int) -> tuple[Case, Tensors]:
        """Return the case and its arrays at one size."""
        if self.axis == "channels":
            return self._of_channels(size)
        if self.axis == "length":
            return replace(self.case, lengths=(size,)), self.tensors.upto(self._images, size)
        return replace(self.case, batches=(size,)), self.tensors.upto(size, self._columns)

    @property
    def _images(self) -> int:
        return len(self.tensors.input_nhwc)

    @property
    def _columns(self) -> int:
        return int(self.tensors.input_nhwc.shape[2])

    def _of_channels(self, size: int) -> tuple[Case, Tensors]:
        own = min(self.line[0], self.case.conv.channels_in)
        kept = np.zeros((*self.tensors.filter_hwio.shape[:2], size, self.case.conv.channels_out))
        filters = kept.astype(self.tensors.filter_hwio.dtype)
        filters[:, :, :own] = self.tensors.filter_hwio[:, :, :own]
        given = self.tensors.input_nhwc[..., :size]
        inputs = np.zeros((*given.shape[:3], size), given.dtype)
        inputs[..., : given.shape[3]] = given
        case = replace(self.case, conv=self.case.conv._replace(channels_in=size))
        return case, replace(self.tensors, filter_hwio=filters, input_nhwc=inputs)

    @property
    def largest(self) -> Case:
        """The case as it is at the end of the line."""
        return self.at(self.line[-1])[0]

    def pair(self, change: Change[int]) -> tuple[Case, Axis] | None:
        """Return the case at both sizes of a change, and the axis along which they are compared.

        None of channels: sums of other numbers of channels are not compared.
        """
        sizes = (change.last, change.first)
        if self.axis == "length":
            return replace(self.case, lengths=sizes), "length"
        if self.axis == "batch":
            return replace(self.case, batches=sizes), "batch"
        return None

    def verdicts_in(self, kept: Kept, ask: Ask, tell: Tell) -> Callable[[int], State | None]:
        """Return what says what the case shows at a size along its other axes."""

        def state(size: int) -> State | None:
            (case, tensors), session = self.at(size), kept.session
            result = run_case(case, session.availability(case), tensors, session, ask, tell)
            return shown(result)

        return self._known("verdict", state, kept, ask)

    def _known(
        self, by: str, state_of: Callable[[int], State | None], kept: Kept, *asked: object
    ) -> Callable[[int], State | None]:
        """Return what asks for a size only where its state is not known."""
        own = (self.axis, self.line[0], *asked)
        return kept.states(f"size by {by}", self.case, self.tensors, state_of, own)

    def bits_on(self, runtime: Runtime, kept: Kept) -> Callable[[int], State | None]:
        """Return what says which bits the outputs have that the smallest size has, too."""

        def state(size: int) -> State | None:
            case, tensors = self.at(size)
            cell = Cell(runtime, case.conv.op, case.lengths[-1], case.batches[-1])
            (output,) = steady(case, [cell], tensors, kept.session.pool)
            if isinstance(output, NoBits):
                self.reasons[size] = output.reason
                return None
            return digest(np.ascontiguousarray(self._shared(output, size)))

        return self._known("bits", state, kept, runtime.device)

    def _shared(self, output: Array, size: int) -> Array:
        """Return the part of an output, NHWC, that the smallest size has, too."""
        if self.axis == "batch":
            return output[: self.line[0]]
        if self.axis == "length":
            return output[:, :, : shared(self.case.conv, (self.line[0], size))]
        return output


def switch_on(case: Case, axis: SizeAxis, runtime: Runtime, kept: Kept) -> Switch:
    """Return what bisects other shapes of a case, on random numbers, by their bits."""

    def switch(shape: Shape, low: int, high: int) -> Change[int] | None:
        sizes = Sizes(of_shape(case, shape.at(axis, high)), axis, range(low, high + 1))
        history = bisect(sizes.line, sizes.bits_on(runtime, kept))
        is_one = len(history.changes) == 1 and history.changes[0].is_exact
        return history.changes[0] if is_one else None

    return switch
