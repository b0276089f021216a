"""A kernel that spends a budget of calls and refuses to spend more."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.refusal import RefusedError


class BudgetedKernel:
    """A `Kernel` with a limit; raises RefusedError (budget) before it would be exceeded."""

    def __init__(self, kernel: Kernel, budget: int) -> None:
        self._kernel = kernel
        self._budget = budget
        self.calls = 0

    @property
    def geometry(self) -> Geometry:
        """See `Kernel.geometry`."""
        return self._kernel.geometry

    @property
    def left(self) -> int:
        """Calls that may still be made."""
        return self._budget - self.calls

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        """See `Kernel.probe`."""
        self._spend(sum(len(batch.taps) for batch in batches))
        return self._kernel.probe(batches, positions)

    def run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        """See `Kernel.run`."""
        self._spend(1)
        return self._kernel.run(input_nhwc, filter_hwio, bias)

    def _spend(self, calls: int) -> None:
        if calls > self.left:
            raise RefusedError("budget", f"{calls} more probe calls are due, {self.left} are left")
        self.calls += calls
