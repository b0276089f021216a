"""A kernel that spends a budget of calls and refuses to spend more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.refusal import RefusedError
from convdiff.worker.probes import embedded


@dataclass(eq=False)
class _Budget:
    """Calls that may still be made, of all that share it."""

    left: int

    def spend(self, calls: int) -> None:
        if calls > self.left:
            raise RefusedError("budget", f"{calls} more probe calls are due, {self.left} are left")
        self.left -= calls


class BudgetedKernel:
    """A `Kernel` with a limit; raises RefusedError (budget) before it would be exceeded.

    It may be that of some outputs, which see some of the taps alone: all that is asked then is
    asked of these, and the weights of other taps are +0, as are the answers of other outputs.
    """

    def __init__(self, kernel: Kernel, budget: int) -> None:
        self.geometry = kernel.geometry
        self.calls = 0
        self._kernel = kernel
        self._budget = _Budget(budget)
        self._among: Array | None = None

    def seen_by(self, geometry: Geometry, among: Array) -> BudgetedKernel:
        """Return the kernel of some outputs, which have this geometry; it shares the budget.

        among: flat indices into N x OH x OW.
        """
        kernel = BudgetedKernel(self._kernel, 0)
        kernel.geometry, kernel._budget, kernel._among = geometry, self._budget, among
        return kernel

    @property
    def left(self) -> int:
        """Calls that may still be made."""
        return self._budget.left

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        """See `Kernel.probe`."""
        self._spend(sum(len(batch.taps) for batch in batches))
        if self.geometry.footprint is not None:
            batches = [replace(batch, window=self.geometry.window) for batch in batches]
        if self._among is None or positions is not None:
            return self._kernel.probe(batches, positions)
        answers = []
        for answer in self._kernel.probe(batches, self._among):
            whole = np.zeros((len(answer), self.geometry.positions, answer.shape[2]), answer.dtype)
            whole[:, self._among] = answer
            answers.append(whole)
        return answers

    def run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        """See `Kernel.run`."""
        self._spend(1)
        if self.geometry.footprint is not None:
            whole = self._kernel.geometry.filter_hwio
            filter_hwio = embedded(filter_hwio, whole, self.geometry.window)
        return self._kernel.run(input_nhwc, filter_hwio, bias)

    def _spend(self, calls: int) -> None:
        self._budget.spend(calls)
        self.calls += calls
