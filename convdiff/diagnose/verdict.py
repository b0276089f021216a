"""The verdicts, and how one is reached from a comparison and what the probes found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convdiff.case.model import Allowance
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.traits import Traits

Verdict = Literal[
    "same", "rounding", "precision", "transform", "unstable", "wrong", "mistrusted", "untested"
]


@dataclass(frozen=True)
class Finding:
    """A comparison with its verdict and the evidence for it, in words."""

    comparison: Comparison
    verdict: Verdict
    allowed: bool
    evidence: tuple[str, ...] = ()
    fits: str | None = None
    """What a wrong result looks like: shifted, flipped, dilation ignored, …"""


def judge(
    comparison: Comparison,
    baseline: Traits | None,
    candidate: Traits | None,
    unstable: bool,
    fits: str | None,
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict and its evidence. Traits are None where no probe was run.

    `unstable` says that repeats of either side differ; `fits` is a known mistake whose result one
    side shows.
    """
    if comparison.mismatch:
        said = comparison.reason or "the shapes differ"
        return "wrong", (said, *((f"it fits: {fits}",) if fits else ()))
    difference = comparison.difference
    if difference is None:
        return "untested", (comparison.reason or "not run",)
    if difference.differing == 0:
        if comparison.constant:
            return "mistrusted", (f"equal, but the outputs are {comparison.constant}",)
        return "same", ()
    if unstable or comparison.axis == "repeat":
        return "unstable", ("the same cell gives other bits when repeated",)
    if difference.appeared and not comparison.overflow_possible:
        count = difference.appeared
        return "wrong", (f"{count} element(s) are NaN or infinite on one side, with no overflow",)
    sides = [("baseline", baseline), ("candidate", candidate)]
    probed = [(name, traits) for name, traits in sides if traits is not None]
    for name, traits in probed:
        if traits.shape_error:
            return "wrong", (f"{name}: {traits.shape_error}",)
        if traits.transform:
            return "transform", (f"{name}: {traits.transform}",)
    narrowed = tuple(f"{name}: {traits.narrowed}" for name, traits in probed if traits.narrowed)
    off = tuple(f"{name}: {traits.integer_error}" for name, traits in probed if traits.integer_error)
    if off:
        return "wrong", (*off, *((f"it fits: {fits}",) if fits else ()))
    if narrowed:
        return "precision", narrowed
    if fits:
        return "wrong", (f"it fits: {fits}",)
    if comparison.bound_ratio > 1:
        times = comparison.bound_ratio
        return "wrong", (f"|Δ| is {times:.3g} × 2γₙA, more than any order of summation can give",)
    return "rounding", _rounding_evidence(comparison, bool(probed))


def _rounding_evidence(comparison: Comparison, probed: bool) -> tuple[str, ...]:
    evidence = []
    if comparison.screen_ratio <= 1:
        evidence.append(f"within the usual size of rounding ({comparison.screen_ratio:.2g} of it)")
    else:
        evidence.append(
            f"{comparison.screen_ratio:.3g} × the usual size of rounding, "
            f"{comparison.bound_ratio:.2g} of the worst case 2γₙA"
        )
    if probed:
        evidence.append("integer probe exact, inputs and weights kept whole on both sides")
    if comparison.difference and comparison.difference.appeared:
        evidence.append("some sums overflow on the way")
    return tuple(evidence)


def permits(allowance: Allowance, verdict: Verdict, max_ulp: int) -> bool:
    """Return whether `expect` allows a verdict. What was not compared is no drift."""
    if verdict in ("same", "mistrusted", "untested") or allowance.kind == "anything":
        return True
    if verdict != "rounding":
        return False
    return allowance.kind == "rounding" or (
        allowance.kind == "ulps" and max_ulp <= allowance.ulps
    )


def outcome_of(findings: Sequence[Finding]) -> Literal["ok", "drift", "untested"]:
    """Reduce findings to a word; equality of nothing, or of constants, is not green."""
    if any(not finding.allowed for finding in findings):
        return "drift"
    if all(finding.verdict in ("untested", "mistrusted") for finding in findings):
        return "untested"
    return "ok"
