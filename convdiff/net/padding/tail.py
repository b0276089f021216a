"""The outputs behind the data: those of padding alone, precomputed at the fixed length."""

from __future__ import annotations

import numpy as np

from convdiff.compare.difference import differs
from convdiff.net.padding.paper import Paper
from convdiff.net.padding.result import Run, Tail
from convdiff.net.padding.runs import Outputs
from convdiff.numerics.array import Array


class TailCheck:
    """Holds the outputs behind the data against those of an input of padding alone."""

    def __init__(self, paper: Paper, padding: Outputs) -> None:
        """Take all outputs of an input of padding at the fixed length, NHWC."""
        self._paper, self._padding = paper, padding
        self._held: dict[int, bool] = {}

    def see(self, run: Run, outputs: Outputs) -> None:
        """Compare a run at the fixed length, on the net's own input."""
        if run.trial:
            return
        apart = 0
        for name, at in self._paper.dependent(run.data).items():
            behind = np.delete(np.arange(outputs[name].shape[2]), at)
            own, padding = (side[name][:, :, behind] for side in (outputs, self._padding))
            apart += int(differs(own, padding, strict=False).sum())
        self._held[run.data] = not apart

    def tail(self, single: Outputs | None) -> Tail:
        """Return what is known of the tail. single: padding at one position, where that is said."""
        held = sum(self._held.values())
        if single is None:
            return Tail(held, len(self._held))
        (name,) = single
        vectors = _vectors(self._padding[name])
        first = self._padding[name][:, :, -1:]
        apart = int(differs(single[name], first, strict=False).sum())
        return Tail(held, len(self._held), vectors, apart, first.size)


def _vectors(outputs: Array) -> int:
    """Return how many different columns an output has, by their bits."""
    columns = np.ascontiguousarray(np.moveaxis(outputs, 2, 0))
    return len({column.tobytes() for column in columns})
