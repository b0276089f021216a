"""What the probes found out about one cell: how its runtime computes at that very shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """Each field is None where the probe was clean, else what was seen, in words."""

    shape_error: str | None = None
    integer_error: str | None = None
    """Small integers came out wrong: no rounding can do that."""
    transform: str | None = None
    """Values outside a tap's field reach its product: Winograd or FFT."""
    narrowed: str | None = None
    """Inputs, weights or the accumulator keep fewer bits than the format has."""
    flushes: str | None = None
    """Subnormal inputs, outputs or both are taken as zero. It is no error: `clean` ignores it."""

    @property
    def clean(self) -> bool:
        """Return whether nothing was found but flushing."""
        return not (self.shape_error or self.integer_error or self.transform or self.narrowed)


@dataclass(frozen=True)
class Behaviour:
    """What the probes found of one cell."""

    traits: Traits | None
    """None where the runtime gave no answer."""
    fits: str | None = None
    """The known mistake that wrong integers look like."""
