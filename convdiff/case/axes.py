"""The axes along which two cells may differ: one row each, for `expect`, plans and reports.

A new axis is a row here, and the pairs that plan/ makes along it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from convdiff.case.words import plural

Axis = Literal[
    "length",
    "batch",
    "channels",
    "threads",
    "repeat",
    "baseline",
    "device",
    "runtime",
    "reference",
    "exact",
    "clean",
]


class Coordinates(Protocol):
    """What an axis reads of a cell; plan/ has the cells."""

    @property
    def length(self) -> int:
        """The input's width."""

    @property
    def batch(self) -> int:
        """Images of the input."""

    @property
    def channels(self) -> int:
        """How many of the filters it has; 0 is all."""

    @property
    def repeat(self) -> int:
        """0 for the first run."""

    @property
    def is_clean(self) -> bool:
        """Whether its data have zeros for NaN and infinity."""

    @property
    def op(self) -> str:
        """What sums the products."""


@dataclass(frozen=True)
class AxisFacts:
    """What is known of an axis, whatever the case."""

    noun: str
    """What changes along it, as in: also drift with the batch size."""
    drift: str
    """The sentence on bits that differ along it. {baseline} and {candidate} are the sides' names,
    {values} the candidates' values and {value} the baseline's, where `value` knows them."""
    expect: Literal["bitwise", "rounding"]
    """What may differ, unless a case says otherwise."""
    brief: str = "{candidate} gives other bits than {baseline}"
    """`drift` in fewer words; {verb} goes with {values}, which are one or several."""
    side: Callable[[Coordinates], str] | None = None
    """Names a cell by its value; None where sides are told apart by their runtimes."""
    value: Callable[[Coordinates], int] | None = None
    """The number that a sentence lists, where it lists several."""
    between_runtimes: bool = False
    """Its sides are two of the case's runtimes."""


def filters(count: int) -> str:
    """Say how many of the filters there are; 0 is all."""
    return plural(count, "filter", "") if count else "all filters"


AXES: Mapping[Axis, AxisFacts] = {
    "length": AxisFacts(
        "the input length",
        "the bits change with the input length, {values} against {value}",
        "bitwise",
        brief="{values} {verb} other bits than length {value}",
        side=lambda cell: f"T={cell.length}",
        value=lambda cell: cell.length,
    ),
    "batch": AxisFacts(
        "the batch size",
        "the bits change with the batch size, {values} against {value}",
        "bitwise",
        brief="{values} {verb} other bits than batch {value}",
        side=lambda cell: f"batch {cell.batch}",
        value=lambda cell: cell.batch,
    ),
    "channels": AxisFacts(
        "the number of filters",
        "the bits change with the number of filters, {values} against all",
        "bitwise",
        brief="{values} of the filters {verb} other bits than all of them",
        side=lambda cell: filters(cell.channels),
        value=lambda cell: cell.channels,
    ),
    "threads": AxisFacts(
        "the thread count",
        "the bits change with the thread count ({candidate} against {baseline})",
        "bitwise",
        between_runtimes=True,
    ),
    "repeat": AxisFacts(
        "every repeat",
        "the bits change with every repeat ({candidate} against {baseline})",
        "bitwise",
        side=lambda cell: f"run {cell.repeat + 1}",
    ),
    "baseline": AxisFacts(
        "the baseline's bits",
        "the bits are not those of {baseline}",
        "bitwise",
        brief="other bits than {baseline}",
    ),
    "device": AxisFacts(
        "the device",
        "the bits change with the device ({candidate} against {baseline})",
        "rounding",
        between_runtimes=True,
    ),
    "runtime": AxisFacts(
        "the runtime",
        "the bits change with the runtime ({candidate} against {baseline})",
        "rounding",
        between_runtimes=True,
    ),
    "reference": AxisFacts(
        "multiply + reduce_sum",
        "{op} differs from multiply + reduce_sum",
        "rounding",
        brief="{op} gives other bits than multiply + reduce_sum",
        side=lambda cell: cell.op,
    ),
    "exact": AxisFacts(
        "the exact result",
        "{op} is off the exact result",
        "rounding",
        side=lambda cell: cell.op,
    ),
    "clean": AxisFacts(
        "NaN elsewhere",
        "outputs that no NaN or infinity reaches change with it",
        "bitwise",
        side=lambda cell: "zeros" if cell.is_clean else "given",
        brief="outputs that no NaN or infinity reaches change with it",
    ),
}
"""In the order in which a report tells of them."""
