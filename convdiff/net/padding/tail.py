"""The outputs behind the data: those of padding alone, precomputed at the fixed length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

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
        self._others: set[int] = set()

    def see(self, run: Run, outputs: Outputs) -> None:
        """Compare what a run gave behind the data, where it sees the same at its length."""
        apart = 0
        for name, at in self._paper.behind(run.data, run.length).items():
            own, padding = (side[name][:, :, at] for side in (outputs, self._padding))
            apart += int(differs(own, padding, strict=False).sum())
        if run.length < self._paper.fixed:
            self._others |= {run.length} if apart else set()
        elif not run.trial:
            self._held[run.data] = not apart

    def tail(self, single: Outputs | None, answers: Iterable[int]) -> Tail:
        """Return what is known of the tail. single: padding at one position, where that is said."""
        others = tuple(sorted(self._others & set(answers)))
        tail = Tail(sum(self._held.values()), len(self._held), others)
        if single is None:
            return tail
        (name,) = single
        vectors = _vectors(self._padding[name])
        first = self._padding[name][:, :, -1:]
        apart = int(differs(single[name], first, strict=False).sum())
        return replace(tail, vectors=vectors, apart=apart, elements=first.size)


def _vectors(outputs: Array) -> int:
    """Return how many different columns an output has, by their bits."""
    columns = np.ascontiguousarray(np.moveaxis(outputs, 2, 0))
    return len({column.tobytes() for column in columns})
