"""What both JSON reports write alike: numbers that JSON has none for, and where sums part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from convdiff.diagnose.cause import Parted
from convdiff.order.reveal.refusal import Refusal

Value = TypeVar("Value")
Written = TypeVar("Written")


def finite(value: float) -> float | str:
    """Return a number as JSON has it: NaN and infinity as text."""
    return value if abs(value) < float("inf") else str(value)


def or_null(value: Value | None, written: Callable[[Value], Written]) -> Written | None:
    """Return a value as it is written, null where there is none."""
    return None if value is None else written(value)


def refusal_json(refusal: Refusal) -> dict[str, Any]:
    """Return why no order is given."""
    return {"kind": refusal.kind, "reason": refusal.reason}


def parted_json(parted: Parted) -> dict[str, Any]:
    """Return where two sums of an element part."""
    return {
        "index": list(parted.index),
        "terms": list(parted.terms),
        "baseline": finite(parted.baseline),
        "candidate": finite(parted.candidate),
    }
