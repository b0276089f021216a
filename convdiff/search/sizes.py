"""At which size the bits of the first outputs change: the exact switch, by halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors, digest
from convdiff.case.model import Case
from convdiff.compare.align import shared
from convdiff.lab.jobs import observe
from convdiff.lab.session import Session
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Runtime
from convdiff.search.states import State


class Sizes:
    """Runs a case at one size after the other; what all sizes share is what is looked at."""

    def __init__(self, case: Case, axis: str, runtime: Runtime, tensors: Tensors, lab: Session):
        """axis: length or batch; the case's own values are the line, the smallest first."""
        self._case, self._axis, self._runtime = case, axis, runtime
        self._tensors, self._lab = tensors, lab
        self.reasons: dict[int, str] = {}

    @property
    def line(self) -> Sequence[int]:
        """The sizes."""
        return self._case.lengths if self._axis == "length" else self._case.batches

    def state(self, size: int) -> State | None:
        """Return the bits of the outputs that the smallest size has, too; None for none."""
        largest = Cell(
            self._runtime, self._case.conv.op, self._case.lengths[-1], self._case.batches[-1]
        )
        is_length = self._axis == "length"
        cell = replace(largest, length=size) if is_length else replace(largest, batch=size)
        answers = observe(self._case, [cell], self._tensors, self._lab.pool, lambda one: None)
        outputs = [output for _, output, _ in answers]
        if not outputs:
            return None
        (output,) = outputs
        if isinstance(output, NoBits):
            self.reasons[size] = output.reason
            return None
        columns = shared(self._case.conv, (self._case.lengths[0], cell.length))
        columns = columns if is_length else output.shape[2]
        images = len(output) if is_length else self._case.batches[0]
        return digest(np.ascontiguousarray(output[:images, :, :columns]))
