"""Before a difference is called a bug for its size: both sides are run once more."""

from __future__ import annotations

from convdiff.case.model import Case
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.evidence import Evidence, SideFact
from convdiff.diagnose.verdict import Finding, Ruling
from convdiff.lab.lab import Lab

AGAIN = "gives other bits when it is run again"
HOW_OFTEN = "`repeat: 20` in the case shows how often"
COMES_AND_GOES = "should it come and go, `repeat: 20` in the case finds it"


def ruled_on_again(comparison: Comparison, lab: Lab) -> Ruling | None:
    """Rule on sides that give other bits when they are run again on the case's own data."""
    evidence: list[Evidence] = []
    if not comparison.baseline.is_exact and lab.is_restless(comparison.baseline):
        evidence.append(SideFact("baseline", AGAIN))
    if lab.is_restless(comparison.candidate):
        evidence.append(SideFact("candidate", AGAIN))
    return ("unstable", tuple(evidence)) if evidence else None


def how_to_look(case: Case, finding: Finding) -> tuple[str, ...]:
    """Say how noise is looked for, where one run of each cell was not enough to."""
    comparison = finding.comparison
    if case.repeat > 1 or comparison.mismatch or comparison.candidate.recorded:
        return ()
    if finding.verdict == "unstable":
        return (HOW_OFTEN,)
    unnamed = finding.verdict == "wrong" and finding.fits is None
    return (COMES_AND_GOES,) if unnamed else ()
