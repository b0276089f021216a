"""Ranges of whole numbers as people write them: `7`, `7..20`, `7..2000:7`, `1,2,8..10`."""

from __future__ import annotations

import re

from convdiff.case.forms.misfit import cut, shown

LONGEST = 100_000
"""No more values than this in one list of ranges: each is a cell to run."""

LARGEST_DIGITS = 10
"""No number has more digits: no array is as long."""

_PART = re.compile(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*(?::\s*(\d+)\s*)?)?")


def parse_range(text: str) -> tuple[int, ...]:
    """Read `a`, `a..b` (both ends included), `a..b:step`, or several joined by commas.

    The values are sorted and unique. Raises ValueError with a message for the user.
    """
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            quoted = shown(text)
            raise ValueError(f"{quoted} is not a range; write 7, 7..20, 7..2000:7 or 1,2,8")
        first = _number(match[1])
        last = _number(match[2] or match[1])
        step = _number(match[3] or "1")
        if step == 0:
            raise ValueError(f"the step of {shown(text)} is 0; it must be 1 or more")
        if last < first:
            raise ValueError(f"{shown(part.strip())} counts down; write {last}..{first}")
        if (last - first) // step >= LONGEST:
            raise ValueError(
                f"{shown(part.strip())} has more than {LONGEST:,} values; give it a step"
            )
        values.update(range(first, last + 1, step))
        if len(values) > LONGEST:
            raise ValueError(f"more than {LONGEST:,} values in all; give the ranges a step")
    return tuple(sorted(values))


def _number(digits: str) -> int:
    """Return a part of a range. Raises ValueError for one of too many digits."""
    if len(digits) > LARGEST_DIGITS:
        raise ValueError(f"{cut(digits)} is too large; at most {LARGEST_DIGITS} digits")
    return int(digits)


def below(values: tuple[int, ...], least: int) -> str:
    """Say which of these sorted lengths are too small, with their verb; "" where none is."""
    small = tuple(value for value in values if value < least)
    if not small:
        return ""
    return f"lengths {write_range(small)} are" if len(small) > 1 else f"length {small[0]} is"


def write_range(values: tuple[int, ...]) -> str:
    """Write sorted whole numbers back in the shortest form, as in `5..8, 12..64:4`."""
    parts: list[str] = []
    start = 0
    while start < len(values):
        end = start + 1
        step = values[end] - values[start] if end < len(values) else 0
        while end < len(values) and values[end] - values[end - 1] == step:
            end += 1
        if end - start >= 3:
            suffix = "" if step == 1 else f":{step}"
            parts.append(f"{values[start]}..{values[end - 1]}{suffix}")
            start = end
        else:
            parts.append(str(values[start]))
            start += 1
    return ", ".join(parts)
