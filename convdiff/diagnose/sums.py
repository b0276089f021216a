"""Sums of a 16-bit format that one side keeps in it, and the other in a wider one."""

from __future__ import annotations

from convdiff.behaviour.behaviour import Behaviour, Sums
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.evidence import SideFact
from convdiff.diagnose.verdict import Ruling


def by_sums(
    comparison: Comparison, baseline: Behaviour, candidate: Behaviour, dtype: str
) -> Ruling | None:
    """Rule on sides whose sums are not equally wide: either is legal, and yet no mere order.

    Multiply + reduce_sum is no patient: that its own sums are the narrower ones is passed over.
    """
    if baseline.sums is None or candidate.sums is None or baseline.sums == candidate.sums:
        return None
    narrow = comparison.baseline if baseline.sums == "own format" else comparison.candidate
    if narrow.is_reference:
        return None
    nearness = comparison.nearness
    errors = ("", "")
    if nearness is not None:
        off = (nearness.baseline_abs, nearness.candidate_abs)
        errors = (f", off by up to {off[0]:.3g}", f", off by up to {off[1]:.3g}")
    return "precision", (
        SideFact("baseline", _words(baseline.sums, dtype) + errors[0]),
        SideFact("candidate", _words(candidate.sums, dtype) + errors[1]),
    )


def _words(sums: Sums, dtype: str) -> str:
    return f"sums in {dtype}" if sums == "own format" else f"sums in a wider format than {dtype}"
