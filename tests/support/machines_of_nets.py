"""Runs of nets whose bits are known: what an invented machine gives at each length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from convdiff.net.padding.result import Run
from convdiff.net.padding.runs import Outputs
from convdiff.plan.cell import NoBits

Differs = Callable[[Run], bool]


class Machine:
    """Gives outputs that depend on the input alone, but where it is told to differ by 2⁻¹⁰."""

    def __init__(self, name: str, positions: Callable[[int], int], differs: Differs) -> None:
        self.name, self.positions, self.differs = name, positions, differs
        self.runs: list[Run] = []
        self.refuses: Differs = lambda run: False
        self.dies: Differs = lambda run: False
        self.ends_otherwise: Differs = lambda run: False
        self.unstable = False
        self.stops_after = 10**9

    def __call__(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Outputs | NoBits, float]]:
        for run in runs:
            if len(self.runs) >= self.stops_after:
                return
            self.runs.append(run)
            yield run, self.outputs(run), 1e-3 * run.length

    def outputs(self, run: Run) -> Outputs | NoBits:
        """Return (1, 1, positions, 2) float32."""
        if self.dies(run):
            return NoBits("worker killed by SIGABRT", died=True)
        if self.refuses(run):
            return NoBits("refused here")
        values = np.ones((1, 1, self.positions(run.length), 2), np.float32)
        if run.data:
            values[:, :, 0] += run.data + 1000 * run.trial
        if self.differs(run):
            values[:, :, 0] += 2**-10
        if self.ends_otherwise(run) and values.shape[2] > 1:
            values[:, :, -1] += 2**-10
        if self.unstable:
            values += len(self.runs)
        return {self.name: values}
