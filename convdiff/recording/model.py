"""A recording: observations with their inputs, machines, probes and orders, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from convdiff.case.arrays import Tensors
from convdiff.case.forms import Flag, MapOf, Maybe, Text
from convdiff.case.model import Case
from convdiff.case.record import record
from convdiff.errors import ConvdiffError
from convdiff.numerics.array import Array
from convdiff.order.replay.arithmetic import ADDED, Arithmetic
from convdiff.order.replay.step import NO_STEP, Step
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Runtime

QUOTED = 200
"""Characters that a message quotes of a file, which may say anything."""


class RecordingError(ConvdiffError):
    """A recording that can't be used: which, and why."""


def quoted(words: object) -> str:
    """Return what a message says of a file's own words: their first line, cut."""
    line = next(iter(str(words).splitlines()), "")
    return line if len(line) <= QUOTED else line[:QUOTED] + "…"


@dataclass(frozen=True)
class SavedOrder:
    """A summation order in the notation, with how its additions were rounded."""

    notation: Annotated[str, Text(10_000_000)]
    arithmetic: Annotated[Arithmetic, record(Arithmetic, whole=True, added=ADDED)]
    confirmed: Annotated[bool, Flag()]
    step: Annotated[Step, record(Step)] = NO_STEP
    """What follows, as the kernel does it."""


@dataclass(frozen=True, eq=False)
class SavedOrders:
    """The orders of one output."""

    orders: tuple[SavedOrder, ...]
    which: Array
    """(positions, cout) int32: the order of each element; -1 is none."""
    refusals: tuple[tuple[str, str], ...]
    """(kind, reason) of what has none."""


@dataclass(frozen=True)
class SavedProbes:
    """What probes found in a cell, by name of the trait; only what was found."""

    traits: Annotated[Mapping[str, str], MapOf(Text(100_000))]
    fits: Annotated[str | None, Maybe(Text())] = None
    silent: Annotated[bool, Flag()] = False
    """The runtime gave no answer."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One cell's bits, and what was found out about them while the runtime was there."""

    cell: Cell
    output: Array
    """NHWC, in the case's dtype."""
    probes: SavedProbes | None = None
    """None where the cell was not probed."""
    orders: SavedOrders | None = None
    """None where its orders were not looked for."""


@dataclass(frozen=True, eq=False)
class RecordedCase:
    """One case as it was run. Its arrays are in `tensors`; the case's own specs make none."""

    case: Case
    tensors: Tensors
    fingerprints: Mapping[Runtime, Mapping[str, Any]]
    entries: tuple[Entry, ...]
    failed: tuple[Cell, ...] = ()
    """Cells that were run and gave no bits."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that gave bits."""
        return tuple(entry.cell for entry in self.entries)


@dataclass(frozen=True, eq=False)
class Recording:
    """The cases in one file, by name."""

    cases: Mapping[str, RecordedCase] = field(default_factory=dict)
