"""`expect` as a case file writes it, and as the program holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convdiff.case.axes import AXES, Axis
from convdiff.case.model import DEFAULT_EXPECT, Allowance

Raw = Mapping[str, Any]
WORDS = ("bitwise", "rounding", "anything")


def read_expect(raw: Raw) -> tuple[dict[Axis, Allowance], bool]:
    """Return what may differ along each axis, and whether the summation order is locked."""
    given: dict[Axis, Allowance] = {axis: read_allowance(raw[axis]) for axis in AXES if axis in raw}
    return {**DEFAULT_EXPECT, **given}, raw.get("order") == "locked"


def write_expect(expect: Mapping[Axis, Allowance], *, lock_order: bool) -> dict[str, Any]:
    """Return what `read_expect` reads."""
    said: dict[str, Any] = {axis: write_allowance(expect[axis]) for axis in expect}
    return {**said, "order": "locked"} if lock_order else said


def read_allowance(value: Any) -> Allowance:
    """Return the allowance of a word or of {ulps: n}. Raises ValueError where it is neither."""
    if isinstance(value, Mapping):
        return Allowance("ulps", int(value["ulps"]))
    if value not in WORDS:
        raise ValueError(f"{value!r} is not one of {', '.join(WORDS)} or {{ulps: n}}")
    return Allowance(value)


def write_allowance(allowance: Allowance) -> str | dict[str, int]:
    """Return what `read_allowance` reads."""
    return {"ulps": allowance.ulps} if allowance.kind == "ulps" else allowance.kind
