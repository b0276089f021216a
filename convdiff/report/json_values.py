"""What both JSON reports write alike: numbers that JSON has none for, and where sums part."""

from __future__ import annotations

from typing import Any

from convdiff.diagnose.cause import Parted


def finite(value: float) -> float | str:
    """Return a number as JSON has it: NaN and infinity as text."""
    return value if abs(value) < float("inf") else str(value)


def parted_json(parted: Parted | None) -> dict[str, Any] | None:
    """Return where two sums of an element part."""
    if parted is None:
        return None
    return {
        "index": list(parted.index),
        "terms": list(parted.terms),
        "baseline": finite(parted.baseline),
        "candidate": finite(parted.candidate),
    }
