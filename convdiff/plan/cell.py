"""What a cell gave: its bits, or why it gave none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from convdiff.runtime.model import Runtime

Op = Literal["conv2d", "manual"]


@dataclass(frozen=True)
class Cell:
    """The unit of work: one convolution on one runtime."""

    runtime: Runtime
    op: Op
    length: int
    batch: int
    repeat: int = 0
    trial: int = 0
    """0 is the case's own input; 1, 2, … are random inputs of the same shape."""


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
