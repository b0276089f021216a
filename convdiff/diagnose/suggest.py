"""A case's tightest `expect` that today's results pass, if what differs is only rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convdiff.case.axes import Axis
from convdiff.case.model import Allowance
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.verdict import Finding, accepts, is_opinion, largest_ulp

FEW_ULPS = 16
"""More than that is a matter of cancellation, where counting ulps says little."""


def suggest(
    expect: Mapping[Axis, Allowance], findings: Sequence[Finding]
) -> dict[Axis, Allowance] | None:
    """Return an `expect` that passes, or None where none is needed or none would be honest.

    Only axes that drifted change; a verdict other than rounding is never made to pass. The result
    is checked against every finding before it is returned. What multiply + reduce_sum alone does is
    noted, or was asked for in so many words.
    """
    drifted = [finding for finding in findings if not finding.allowed]
    if not drifted or not all(map(_is_mere_rounding, drifted)):
        return None
    held = [finding for finding in findings if not _is_noted(finding)]
    suggestion, along = dict(expect), by_axis(held)
    for axis in by_axis(drifted):
        suggestion[axis] = _tightest(along[axis])
    if not all(accepts(finding, suggestion[finding.axis]) for finding in held):
        return None
    return suggestion


def _is_mere_rounding(finding: Finding) -> bool:
    """Return whether an axis' allowance could let a finding pass."""
    return finding.verdict == "rounding" and finding.lock != "changed" and not _is_noted(finding)


def _is_noted(finding: Finding) -> bool:
    return finding.verdict != "wrong" and is_opinion(finding.comparison)


def _tightest(findings: Sequence[Finding]) -> Allowance:
    """Return what allows the rounding among the findings along one axis."""
    most = max(largest_ulp(one.comparison) for one in findings if one.verdict == "rounding")
    if most > FEW_ULPS:
        return Allowance("rounding")
    return Allowance("ulps", most)
