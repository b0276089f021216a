"""What every report tells of a net: plain data, no colours, no escapes."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.net.trace.model import TraceResult
from convdiff.report.marks import Grid, Line


@dataclass(frozen=True)
class TraceSummary:
    """What every report tells of a trace."""

    result: TraceResult
    word: str
    """OK, DRIFT[rounding], UNTESTED."""
    headline: str
    runtimes: tuple[str, ...]
    layers: Grid | None
    """The pair that is shown, a row a layer."""
    shown: str
    """Which pair that is."""
    pairs: Grid | None
    """All pairs, where there are several."""
    lines: tuple[Line, ...]
    again: str
    ending: str

    @property
    def name(self) -> str:
        """The net's name."""
        return self.result.case.name
