"""Locked summation orders: another order than the baseline's is drift, whatever the bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convdiff.case.model import Case
from convdiff.diagnose.equal_orders import order_maps
from convdiff.diagnose.explaining import Explainer
from convdiff.diagnose.verdict import Finding
from convdiff.order.orders import Orders
from convdiff.order.tree.describe import describe
from convdiff.order.tree.notation import notation

UNPROVED = "the order is locked, but could not be proved on both sides"


def hold_orders(case: Case, findings: Sequence[Finding], explainer: Explainer) -> list[Finding]:
    """Return the findings, each convolution's with whether it kept the baseline's order."""
    if not case.lock_order:
        return list(findings)
    return [_held(finding, explainer) for finding in findings]


def _held(finding: Finding, explainer: Explainer) -> Finding:
    comparison = finding.comparison
    if comparison.axis != "baseline" or comparison.candidate.is_reference:
        return finding
    if comparison.difference is None:
        return finding
    baseline, candidate = (
        explainer.of(cell) for cell in (comparison.baseline, comparison.candidate)
    )
    if baseline is None or candidate is None:
        return _unproved(finding, explainer.why_not(comparison.baseline, comparison.candidate))
    one, other = order_maps(baseline, candidate)
    if (one != other)[(one >= 0) & (other >= 0)].any():
        said = (
            "the summation order is locked and changed",
            f"baseline: {_told(baseline)}",
            f"candidate: {_told(candidate)}",
        )
        return replace(finding, lock="changed", allowed=False, evidence=(*said, *finding.evidence))
    if (one < 0).any() or (other < 0).any():
        reasons = dict.fromkeys(r.reason for side in (baseline, candidate) for r in side.refusals)
        return _unproved(finding, "; ".join(reasons))
    return replace(finding, lock="kept", evidence=("the locked order is kept", *finding.evidence))


def _unproved(finding: Finding, reason: str) -> Finding:
    said = UNPROVED + (f": {reason}" if reason else "")
    return replace(finding, lock="unproved", evidence=(said, *finding.evidence))


def _told(side: Orders) -> str:
    """Say a side's first order, and how many more there are."""
    tree, more = side.orders[0].order.tree, len(side.orders) - 1
    words = f"{notation(tree)}, {describe(tree, side.geometry.filter_hwio)}"
    return words + (f", and {more} more" if more else "")
