"""What is found of an ONNX file on two of its own runtimes, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convdiff.diagnose.verdicts import Verdict, gravity
from convdiff.errors import DRIFT, SAME, UNTESTED
from convdiff.net.trace.model import Judged
from convdiff.net.trace.status import Status
from convdiff.result import CaseResult
from convdiff.runtime.model import Runtime


@dataclass(frozen=True)
class OwnEntry:
    """A node where a difference enters, held against what it is to give."""

    verdict: Verdict = "untested"
    judged: Judged | None = None
    """Over all steps in which it enters there."""
    result: CaseResult | None = None
    """Of the first of them, where it sums products."""
    reason: str = ""
    """Why it was not judged, or what the verdict rests on besides."""


@dataclass(frozen=True)
class OwnValue:
    """One value of the graph on both sides, over all steps."""

    name: str
    node: str
    op: str
    status: Status
    entered: int = 0
    """Steps in which a difference enters there."""
    elements: int = 0
    differing: int = 0
    entry: OwnEntry | None = None
    passes: OwnEntry | None = None
    """It passes a difference on, and is more than rounding of what each side itself reads."""


@dataclass(frozen=True)
class OwnTrace:
    """An ONNX file on two runtimes."""

    file: str
    runtimes: tuple[Runtime, Runtime]
    fingerprints: tuple[Mapping[str, Any], Mapping[str, Any]]
    steps: int
    values: tuple[OwnValue, ...]
    outputs: Mapping[str, tuple[int, int, float]]
    """Of each output how many elements differ, of how many, and the largest |Δ|."""
    changed: tuple[int, int]
    """Elements of each side's outputs that looking changed."""
    unseen: int
    """Values that only one side has, where they fuse otherwise, or that are no numbers."""
    untrusted: tuple[str, ...] = ()
    """Operators that were run because the file is trusted."""
    begins: tuple[str, ...] = ()
    """Values that are others when a side is run again, and whose node reads none of them."""
    noisy: tuple[str, ...] = ()
    """Outputs that are others when a side is run again, looked at or not."""
    unjudged: int = 0
    """Values that pass a difference on and are no layers here, or are fused with others."""
    constant: str = ""
    """What makes equality prove little: all outputs are zero, or NaN."""

    @property
    def entered(self) -> tuple[OwnValue, ...]:
        """The values where a difference enters."""
        return tuple(one for one in self.values if one.status == "entered")

    @property
    def passing(self) -> tuple[OwnValue, ...]:
        """The values that pass a difference on and are more than rounding themselves."""
        return tuple(one for one in self.values if one.passes is not None)

    @property
    def differing(self) -> int:
        """Elements of all outputs that differ."""
        return sum(count for count, _, _ in self.outputs.values())

    @property
    def elements(self) -> int:
        """Of all outputs."""
        return sum(count for _, count, _ in self.outputs.values())

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict on what enters and what passes it on; untested where one is."""
        verdicts = [one.entry.verdict for one in self.entered if one.entry is not None]
        verdicts += [one.passes.verdict for one in self.passing if one.passes is not None]
        if self.noisy or (self.begins and self.differing):
            return "unstable"
        if "wrong" not in verdicts and "untested" in verdicts:
            return "untested"
        return max(verdicts, key=gravity, default="untested")

    @property
    def exit_code(self) -> int:
        """0 where no output differs and nothing is wrong, or all that differs is rounding; else 1.

        What differs from one run to the next is no rounding. 125 where equality proves little.
        """
        if self.verdict in ("unstable", "wrong"):
            return DRIFT
        if self.constant and not self.differing:
            return UNTESTED
        if self.differing and self.verdict != "rounding":
            return DRIFT
        return SAME
