"""`expect` as case files and recordings write it: what may differ along each axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from convdiff.case.axes import AXES, Axis
from convdiff.case.forms import As, Either, Whole, Words
from convdiff.case.model import DEFAULT_EXPECT, NOTED, Allowance
from convdiff.case.record import Key, Record

LOCKED, UNLOCKED = "locked", "anything"


@dataclass(frozen=True)
class Expectation:
    """What may differ along each axis, and whether the summation order may.

    `baseline_reference` is what may differ of multiply + reduce_sum along the baseline.
    """

    axes: Mapping[Axis, Allowance]
    lock_order: bool = False
    baseline_reference: Allowance = NOTED


EXPECTED = Expectation(DEFAULT_EXPECT)
"""Where a file says nothing."""


def write_allowance(allowance: Allowance) -> str | dict[str, int]:
    """Return what `ALLOWANCE` reads."""
    return {"ulps": allowance.ulps} if allowance.kind == "ulps" else allowance.kind


def _made(
    order: str = UNLOCKED, baseline_reference: Allowance = NOTED, **given: Allowance
) -> Expectation:
    axes: dict[Axis, Allowance] = {axis: given.get(axis, DEFAULT_EXPECT[axis]) for axis in AXES}
    return Expectation(axes, order == LOCKED, baseline_reference)


ULPS = Record({"ulps": Key(Whole(0, 2**53))}, lambda ulps: Allowance("ulps", ulps))
ALLOWANCE = Either(As(Words("bitwise", "rounding", "anything"), Allowance), ULPS)
_REFERENCE = {
    "default": NOTED.kind,
    "description": "what may differ of multiply + reduce_sum from a baseline's; else it is noted",
}
_ORDER = {
    "default": UNLOCKED,
    "description": "locked: a summation order other than the baseline's is drift",
}


LATER: tuple[Axis, ...] = ("exact", "clean")
"""Axes that versions which read a recording may not have: written only where they are set."""


def written(axes: Mapping[Axis, Allowance]) -> Iterator[tuple[Axis, Allowance]]:
    """Yield what is written of each axis."""
    for axis, allowance in axes.items():
        if axis not in LATER or allowance != DEFAULT_EXPECT[axis]:
            yield axis, allowance


class _Expect(Record[Expectation]):
    """Every axis of the first version is written, also where it expects what it does anyway."""

    def write(self, value: Expectation) -> dict[str, Any]:
        """See Form."""
        plain: dict[str, Any] = {axis: write_allowance(one) for axis, one in written(value.axes)}
        if value.lock_order:
            plain["order"] = LOCKED
        if value.baseline_reference != NOTED:
            plain["baseline_reference"] = write_allowance(value.baseline_reference)
        return plain


EXPECTATION = _Expect(
    {
        **{
            axis: Key(ALLOWANCE, optional=True, about={"default": facts.expect})
            for axis, facts in AXES.items()
        },
        "order": Key(Words(LOCKED, UNLOCKED), optional=True, about=_ORDER),
        "baseline_reference": Key(ALLOWANCE, optional=True, about=_REFERENCE),
    },
    _made,
)
