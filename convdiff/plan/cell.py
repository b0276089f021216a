"""What a cell gave: its bits, or why it gave none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.runtime.model import Runtime
from convdiff.worker.ops import REFERENCE


@dataclass(frozen=True)
class Cell:
    """The unit of work: one convolution on one runtime."""

    runtime: Runtime
    op: str
    """The case's own, one of `convdiff.worker.ops.OPS`, or REFERENCE."""
    length: int
    batch: int
    repeat: int = 0
    trial: int = 0
    """0 is the case's own input; 1, 2, … are random inputs of the same shape."""

    @property
    def is_reference(self) -> bool:
        """Whether it multiplies and sums instead of running the case's own op."""
        return self.op == REFERENCE


@dataclass(frozen=True)
class NoBits:
    """Why a cell gave no bits."""

    reason: str
    died: bool = False
    """The worker died of it, or of what came before; a framework's refusal is no death."""


@dataclass(frozen=True)
class Observation:
    """One cell's outcome."""

    cell: Cell
    output: np.ndarray[Any, Any] | None
    """NHWC, in the case's dtype."""
    reason: str | None = None
    """Why there is no output."""
    died: bool = False
