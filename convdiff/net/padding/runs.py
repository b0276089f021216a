"""Runs of a net on data followed by padding, held against the fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from convdiff.compare.difference import differs
from convdiff.net.padding.paper import Paper
from convdiff.net.padding.result import Miss, Run, Safe
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits

Outputs = Mapping[str, Array]
"""NHWC of each of a net's outputs."""
Observe = Callable[[Sequence[Run]], Iterator[tuple[Run, "Outputs | NoBits", float]]]
"""Runs a net; gives each run's outputs as they come, in order, and its seconds. May end early."""


class UnansweredError(Exception):
    """A run that all else is held against gave no bits, a worker died, or it was stopped."""

    safe: tuple[Safe, ...] = ()
    """What was found before, not all of it checked."""


class Compared:
    """A net's runs on one runtime, each against that of the fixed length; none is run twice.

    Of a run at the fixed length what depends on the data is kept, of others whether they miss it.
    """

    def __init__(self, paper: Paper, observe: Observe, ran: Callable[[Run, Outputs], None]) -> None:
        """ran: is told all outputs of each run."""
        self._paper, self._observe, self._ran = paper, observe, ran
        self._fixed: dict[Run, Outputs] = {}
        self._misses: dict[Run, Miss | None] = {}

    @property
    def count(self) -> int:
        """How many runs were made."""
        return len(self._fixed) + len(self._misses)

    def misses(self, runs: Sequence[Run]) -> dict[Run, Miss | None]:
        """Return, for each run, how it misses the fixed length's bits; None where it has them.

        Raises UnansweredError.
        """
        new = [run for run in dict.fromkeys(runs) if run not in self._misses]
        fixed = [run for run in dict.fromkeys(map(self.at_fixed, new)) if run not in self._fixed]
        for run, outputs, _ in self._observe([*fixed, *new]):
            if run.length == self._paper.fixed:
                self._fixed[run] = self._keep(run, outputs)
            else:
                self._misses[run] = self._miss(run, outputs)
        if not all(run in self._misses for run in new):
            raise UnansweredError("interrupted")
        return {run: self._misses[run] for run in runs}

    def at_fixed(self, run: Run) -> Run:
        """Return the run at the fixed length on the same input."""
        return Run(run.data, self._paper.fixed, run.trial)

    def _keep(self, run: Run, outputs: Outputs | NoBits) -> Outputs:
        if isinstance(outputs, NoBits):
            raise UnansweredError(f"length {run.length}: {outputs.reason}")
        return self._dependent(run, outputs)

    def _miss(self, run: Run, outputs: Outputs | NoBits) -> Miss | None:
        if isinstance(outputs, NoBits):
            if outputs.died:
                raise UnansweredError(
                    f"length {run.length:,}, data of {run.data:,}: {outputs.reason}"
                )
            return Miss(run, reason=outputs.reason)
        return _difference(run, self._dependent(run, outputs), self._fixed[self.at_fixed(run)])

    def _dependent(self, run: Run, outputs: Outputs) -> Outputs:
        """Return what depends on the data; all of it is told."""
        self._ran(run, outputs)
        at = self._paper.dependent(run.data)
        return {name: array[:, :, at[name]] for name, array in outputs.items()}


def _difference(run: Run, outputs: Outputs, fixed: Outputs) -> Miss | None:
    """Return how a run's outputs differ from those of the fixed length; None where they do not."""
    masks = {name: differs(outputs[name], fixed[name], strict=False) for name in fixed}
    count = sum(int(mask.sum()) for mask in masks.values())
    if not count:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        deltas = [np.abs(outputs[name].astype(np.float64) - fixed[name]) for name in fixed]
    largest = max(float(delta.max(initial=0)) for delta in deltas)
    return Miss(run, count, sum(mask.size for mask in masks.values()), largest)
