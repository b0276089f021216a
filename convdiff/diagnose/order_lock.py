"""Locked summation orders: another order than the baseline's is drift, whatever the bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convdiff.case.model import Case
from convdiff.case.words import given
from convdiff.diagnose.equal_orders import order_maps
from convdiff.diagnose.evidence import SideFact
from convdiff.diagnose.verdict import Finding
from convdiff.lab.lab import Lab, NotAsked
from convdiff.order.orders import Orders
from convdiff.order.tree.notation import notation
from convdiff.order.words import in_words

UNPROVED = "the order is locked, but could not be proved on both sides"


def hold_orders(case: Case, findings: Sequence[Finding], lab: Lab) -> list[Finding]:
    """Return the findings, each convolution's with whether it kept the baseline's order."""
    if not case.lock_order:
        return list(findings)
    return [_held(finding, lab) if _is_locked(finding) else finding for finding in findings]


def _is_locked(finding: Finding) -> bool:
    comparison = finding.comparison
    own = comparison.axis == "baseline" and not comparison.candidate.is_reference
    return own and comparison.difference is not None


def _held(finding: Finding, lab: Lab) -> Finding:
    baseline = lab.orders(finding.comparison.baseline)
    candidate = lab.orders(finding.comparison.candidate)
    if isinstance(baseline, NotAsked):
        return _unproved(finding, baseline.reason)
    if isinstance(candidate, NotAsked):
        return _unproved(finding, candidate.reason)
    one, other = order_maps(baseline, candidate)
    if (one != other)[(one >= 0) & (other >= 0)].any():
        changed = (
            "the summation order is locked and changed",
            SideFact("baseline", _first_order(baseline)),
            SideFact("candidate", _first_order(candidate)),
        )
        evidence = (*changed, *finding.evidence)
        return replace(finding, lock="changed", allowed=False, evidence=evidence)
    if (one < 0).any() or (other < 0).any():
        refusals = (*baseline.refusals, *candidate.refusals)
        return _unproved(finding, "; ".join(dict.fromkeys(refusal.reason for refusal in refusals)))
    return replace(finding, lock="kept", evidence=("the locked order is kept", *finding.evidence))


def _unproved(finding: Finding, reason: str) -> Finding:
    evidence = (UNPROVED + given(reason, ": {}"), *finding.evidence)
    return replace(finding, lock="unproved", evidence=evidence)


def _first_order(side: Orders) -> str:
    """Describe a side's first order, and say how many more there are."""
    first, more = side.orders[0], len(side.orders) - 1
    words = f"{notation(first.order.tree)}, {in_words(side, first)}"
    return words + given(more, ", and {} more")
