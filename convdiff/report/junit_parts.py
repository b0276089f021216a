"""What the suites of a JUnit report are made of, and how its tests are called."""

from __future__ import annotations

import re

from junitparser import Attr, Error, Failure, Skipped, TestCase, TestSuite

from convdiff.case.axes import AXES, Axis, filters
from convdiff.plan.cell import Cell

Kind = type[Failure] | type[Error] | type[Skipped]

INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""
DIGITS = 3
"""Of a second, as the schema of JUnit's readers has it."""


class Suite(TestSuite):
    """A suite that names its case's file."""

    file = Attr()

    def __init__(self, name: str, file: str = "") -> None:
        super().__init__(clean(name))
        if file:
            self.file = clean(file)


def test_name(axis: Axis, baseline: Cell, candidate: Cell, *, several: bool) -> str:
    """Name a comparison by its axis, its sides and all that they share: the same in every run.

    several: whether there are several batches.
    """
    sides = f"{_side(candidate, axis)} against {_side(baseline, axis)}"
    shared = []
    if axis != "length":
        shared.append(_length(candidate, baseline))
    if axis != "batch" and (several or candidate.batch > 1):
        shared.append(f"batch {candidate.batch}")
    if axis != "channels" and candidate.channels:
        shared.append(filters(candidate.channels))
    if AXES[axis].side is not None:
        shared.append(candidate.runtime.id)
    if axis != "reference" and candidate.is_reference:
        shared.append(candidate.op)
    return ", ".join((f"{axis} {sides}", *shared))


def _length(cell: Cell, baseline: Cell) -> str:
    if baseline.length == cell.length:
        return f"T={cell.length}"
    return f"T={cell.length} against T={baseline.length}"


def _side(cell: Cell, axis: Axis) -> str:
    side = AXES[axis].side
    return cell.runtime.id if side is None else side(cell)


def made_test(
    suite: str,
    name: str,
    kind: Kind | None = None,
    type_: str = "",
    message: str = "",
    text: str = "",
) -> TestCase:
    """Make a test of a suite; kind: how it ended, None where it passed."""
    test = TestCase(clean(name), clean(suite))
    if kind is not None:
        ending = kind(clean(message), type_)
        ending.text = clean(text)
        test.append(ending)
    return test


def clean(text: str) -> str:
    """Return a text without what XML can't hold."""
    return INVALID.sub("\N{REPLACEMENT CHARACTER}", text)
