"""A cell: the coordinates of one convolution, and what it gave: bits, or a reason for none."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.runtime.model import Runtime
from convdiff.worker.ops import REFERENCE
from convdiff.worker.ops.convolution import Convolution

EXACT = "exact"
"""The op of the correctly rounded result: the parent computes it, and no runtime is asked."""
CLEAN = -1
"""The trial that has zeros for NaN and infinity."""


@dataclass(frozen=True)
class Cell:
    """The unit of work: one convolution on one runtime. A cell is run once."""

    runtime: Runtime
    op: str
    """The case's own, one of `convdiff.worker.ops.OPS`, REFERENCE or EXACT."""
    length: int
    batch: int
    repeat: int = 0
    """0 is the first run, 1 the same again, …"""
    trial: int = 0
    """0 is the case's own input; 1, 2, … are random inputs of the same shape; CLEAN is the case's
    own data with zeros for NaN and infinity."""
    channels: int = 0
    """How many of the filters it has, the first ones; 0 is all."""
    bare: bool = False
    """Whether the step that follows the case's convolution is left out."""

    @property
    def is_reference(self) -> bool:
        """Whether it multiplies and sums instead of running the case's own op."""
        return self.op == REFERENCE

    @property
    def is_exact(self) -> bool:
        """Whether it is the correctly rounded result, which is there without being run."""
        return self.op == EXACT

    @property
    def is_clean(self) -> bool:
        """Whether it is on the case's own data with zeros for NaN and infinity."""
        return self.trial == CLEAN

    @property
    def is_first_run(self) -> bool:
        """Whether it is on the case's own input, for the first time."""
        return not self.trial and not self.repeat

    def conv_of(self, conv: Convolution) -> Convolution:
        """Return what it computes of a case's convolution."""
        own = conv.first(self.channels)
        return own._replace(then="") if self.bare else own

    @property
    def recorded(self) -> bool:
        """Return whether its bits come from a recording, and nobody can be asked any more."""
        return bool(self.runtime.origin)


@dataclass(frozen=True)
class NoBits:
    """Why a cell gave no bits."""

    reason: str
    died: bool = False
    """The worker died of it, or of what came before; a framework's refusal is no death."""
    absent: bool = False
    """The framework, or a module that it needs, is not installed there."""


@dataclass(frozen=True)
class Failure:
    """A cell that gave no bits, and why."""

    cell: Cell
    reason: str
    died: bool
