"""What is counted of each value of an ONNX file over the steps of its two runtimes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from convdiff.diagnose.verdicts import gravity
from convdiff.net.models.marked import Value
from convdiff.net.models.own_carried import Passed
from convdiff.net.models.own_found import OwnEntry, OwnValue
from convdiff.net.trace.model import Judged
from convdiff.net.trace.status import Status

GRAVITY: Sequence[Status] = ("untouched", "healed", "carried", "entered", "unstable")
"""What is said of a value over all steps: the last of these."""


@dataclass
class Tally:
    """What is counted of one value over the steps."""

    status: Status = "untouched"
    entered: int = 0
    elements: int = 0
    differing: int = 0
    entry: OwnEntry | None = None
    """What is said of the steps in which it enters."""
    passed: Passed | None = None
    """What it is in the first step in which it passes a difference on."""

    @property
    def is_unread(self) -> bool:
        """Whether it passes a difference on, and nothing else is known of it."""
        return self.status == "carried" and self.passed is not None and self.passed.unread != ""

    def count(self, status: Status, elements: int, differing: int) -> None:
        """Count what one step shows of the value."""
        self.status = max(self.status, status, key=GRAVITY.index)
        self.elements += elements
        self.differing += differing

    def enter(self, entry: OwnEntry) -> None:
        """Keep what a step in which it enters shows of its node."""
        self.entry = entry if self.entry is None else _together(self.entry, entry)

    def of(self, value: Value) -> OwnValue:
        """Return what is known of the value after all steps."""
        entry = self.entry if self.status == "entered" else None
        passes = None
        if self.passed is not None and self.status != "unstable":
            passes = self.passed.entry
        return OwnValue(
            value.name,
            value.node,
            value.op,
            self.status,
            self.entered,
            self.elements,
            self.differing,
            entry,
            passes,
        )


def _together(one: OwnEntry, other: OwnEntry) -> OwnEntry:
    """Return what two steps say of one node."""
    if one.judged is None or other.judged is None:
        return one
    a, b = one.judged, other.judged
    judged = Judged(
        a.elements + b.elements,
        (a.wrong[0] + b.wrong[0], a.wrong[1] + b.wrong[1]),
        (max(a.ulps[0], b.ulps[0]), max(a.ulps[1], b.ulps[1])),
        a.undecided + b.undecided,
    )
    return replace(one, verdict=max(one.verdict, other.verdict, key=gravity), judged=judged)
