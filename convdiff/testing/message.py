"""What a failed `assert_invariant` says: plain text, as an error's message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from convdiff.case.ranges import write_range
from convdiff.numerics.floats import FORMATS, hexes, ulps
from convdiff.report.numbers import count, decimal, delta
from convdiff.testing.drift import Drift

Row = tuple[str, ...]

ROWS = 8
"""Differing sizes that are shown one by one: those that differ most."""


def described(
    drifts: Sequence[Drift], axis: str, size: int, tried: Iterable[int], most: int | None
) -> str:
    """Say which sizes differ from the whole's, `size`, by how much and where; and which don't.

    tried: all sizes that were compared; most: the ulps that were allowed, None for equal bits.
    """
    what = "the bits change"
    if most is not None:
        what = f"the outputs change by more than {most} ulp"
    worst = max(drifts, key=lambda drift: drift.largest)
    unequal = sorted(drift.size for drift in drifts)
    safe = sorted(set(tried) - set(unequal))
    ulp = max((drift.ulp for drift in drifts if drift.ulp is not None), default=None)
    shown = sorted(drifts, key=lambda drift: -drift.largest)[:ROWS]
    lines = [
        f"{what} with the {axis}, {write_range(tuple(unequal))} against {size}:",
        ("" if ulp is None else f"at most {count(ulp)} ulp, ") + f"|Δ| ≤ {worst.largest:.8e}",
        f"safe on this input: {write_range(tuple(safe)) or 'none'}",
        "",
        *_columns([(axis, "differ", "Δ", "ulp"), *map(_row, sorted(shown, key=lambda d: d.size))]),
    ]
    if len(drifts) > ROWS:
        lines.append(f"… and {len(drifts) - ROWS:,} more, which differ less")
    lines += ["", *_columns([*_elements(worst, axis, size)])]
    if worst.differing > len(worst.part):
        lines.append(f"… and {worst.differing - len(worst.part):,} more elements")
    return "\n".join(lines)


def _row(drift: Drift) -> Row:
    differ = f"{drift.differing:,}/{drift.elements:,}"
    ulp = "" if drift.ulp is None else count(drift.ulp)
    return str(drift.size), differ, f"{drift.delta[0]:+.2e}", ulp


def _elements(drift: Drift, axis: str, size: int) -> Iterator[Row]:
    """Yield a header, and two rows an element: the whole's value, and the prefix's with Δ."""
    floats = drift.part.dtype.name in FORMATS
    if floats:
        steps = _steps(drift)
        yield ("element", axis, "value", "hex", "Δ", "ulp")
    else:
        steps = [""] * len(drift.part)
        yield ("element", axis, "value", "Δ", "")
    for row, position in enumerate(drift.index):
        whole, part = _values(drift.whole[row], floats), _values(drift.part[row], floats)
        yield (",".join(map(str, position)), str(size), *whole, "", "")
        yield ("", str(drift.size), *part, delta(drift.delta[row]), steps[row])


def _steps(drift: Drift) -> list[str]:
    """Write the ulps between both sides, nothing where one is not finite."""
    finite = np.isfinite(drift.whole) & np.isfinite(drift.part)
    steps = ulps(drift.whole, drift.part)
    return [count(int(n)) if known else "" for n, known in zip(steps, finite, strict=True)]


def _values(value: Any, floats: bool) -> Row:
    """Write a value; a float in decimal, and in hexadecimal without the zeros at its end."""
    if not floats:
        return (str(value),)
    return decimal(value), re.sub("[.]?0*p", "p", hexes(value)[0])


def _columns(table: Sequence[Row]) -> list[str]:
    """Lay out rows, the first column to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines
