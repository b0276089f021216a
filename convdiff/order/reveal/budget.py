"""A kernel that spends a budget of calls and refuses to spend more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

    Its geometry may be that of outputs that see some of the taps alone: all that is asked then is
    asked of these, and the weights of the others are +0.
    """

    def __init__(self, kernel: Kernel, budget: int) -> None:
        self.geometry = kernel.geometry
        self.calls = 0
        self._kernel = kernel
        self._budget = _Budget(budget)

    def seen_by(self, geometry: Geometry) -> BudgetedKernel:
        """Return the kernel as outputs see it that have this geometry; it shares the budget."""
        kernel = BudgetedKernel(self._kernel, 0)
        kernel.geometry, kernel._budget = geometry, self._budget
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
        return self._kernel.probe(batches, positions)

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
