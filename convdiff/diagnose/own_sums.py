"""An output that is far off the exact result: whether the rounding of its own sums explains it."""

from __future__ import annotations

from dataclasses import replace

from convdiff.case.model import Case
from convdiff.diagnose.evidence import SideFact
from convdiff.diagnose.verdict import Finding, accepts, allowance_of
from convdiff.lab.lab import Lab, NotAsked
from convdiff.numerics.floats import FORMATS
from convdiff.order.orders import Orders

REPLAYED = "its order is replayed bit for bit: what is off is the rounding of its own sums"


def of_own_sums(case: Case, finding: Finding, lab: Lab) -> Finding:
    """Return a doubtful rounding with the proof that it is one, where its order is proved."""
    if finding.verdict != "rounding" or finding.allowed or not _is_doubtful(case, finding):
        return finding
    orders = lab.orders(finding.comparison.candidate)
    if isinstance(orders, NotAsked):
        return replace(finding, unasked=f"not looked for: {orders.reason}")
    if orders.status != "proved" or _narrows(orders):
        return finding
    evidence = (*finding.evidence, SideFact("candidate", REPLAYED))
    finding = replace(finding, replayed=True, evidence=evidence)
    return replace(finding, allowed=accepts(finding, allowance_of(case, finding)))


def _is_doubtful(case: Case, finding: Finding) -> bool:
    """Return whether a proof would make it allowed."""
    return accepts(replace(finding, replayed=True), allowance_of(case, finding))


def _narrows(orders: Orders) -> bool:
    """Return whether some order keeps fewer bits than the case's format has."""
    for proved in orders.orders:
        arithmetic = proved.order.arithmetic
        kept = (arithmetic.inputs, arithmetic.accumulator)
        if min(map(_bits, kept)) < _bits(arithmetic.dtype):
            return True
    return False


def _bits(name: str) -> int:
    """Return a format's significant bits; TF32 has float16's, and what is unknown counts as few."""
    return FORMATS.get(name, FORMATS["float16"]).precision
