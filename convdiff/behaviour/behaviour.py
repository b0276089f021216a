"""What the probes found out about one cell: how its runtime computes at that very shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convdiff.behaviour.quantisation import Quantisation

Sums = Literal["own format", "wider format"]
"""Where sums of a 16-bit format are kept: in that format, or in float32 as most kernels do."""


@dataclass(frozen=True)
class Traits:
    """Each field is None where the probe was clean, else what was seen, in words."""

    shape_error: str | None = None
    integer_error: str | None = None
    """Small integers came out wrong: no rounding can do that."""
    transform: str | None = None
    """Values outside a tap's field reach its product: Winograd or FFT."""
    narrowed: str | None = None
    """Inputs, weights, the accumulator or outputs keep fewer bits than the format has."""
    quantised: str | None = None
    """Inputs or weights lie on a few evenly spaced steps, and all else is as it must be."""
    flushes: str | None = None
    """Subnormal inputs, outputs or both are taken as zero. It is no error: `clean` ignores it."""
    overflows: str | None = None
    """What keeps fewer bits has float16's range, too. It goes with `narrowed`."""
    unstable: str | None = None
    """A probe that failed was answered otherwise when it was asked again."""

    @property
    def error(self) -> str | None:
        """Return what no rounding can do."""
        return self.shape_error or self.integer_error

    @property
    def clean(self) -> bool:
        """Return whether nothing was found but flushing."""
        return not (self.error or self.unstable or self.transform or self.rounded)

    @property
    def rounded(self) -> str | None:
        """Return what is kept in fewer bits, or on fewer steps, than the format has."""
        return self.narrowed or self.quantised


@dataclass(frozen=True)
class Behaviour:
    """What the probes found of one cell."""

    traits: Traits | None
    """None where the runtime gave no answer."""
    fits: str | None = None
    """The known mistake that wrong integers look like."""
    sums: Sums | None = None
    """None where it was not asked: of float32 and float64, of kernels that are not clean."""
    quantisation: Quantisation | None = None
    """How a quantised kernel does it; no recording keeps that."""
