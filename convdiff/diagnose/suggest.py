"""A case's tightest `expect` that today's results pass, if what differs is only rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convdiff.case.axes import AXES, Axis
from convdiff.case.model import Allowance
from convdiff.diagnose.verdict import Finding, accepts, largest_ulp

FEW_ULPS = 16
"""More than that is a matter of cancellation, where counting ulps says little."""


def suggest(
    expect: Mapping[Axis, Allowance], findings: Sequence[Finding]
) -> dict[Axis, Allowance] | None:
    """Return an `expect` that passes, or None where none is needed or none would be honest.

    Only axes that drifted change; a verdict other than rounding is never made to pass. The result
    is checked against every finding before it is returned.
    """
    drifted = [finding for finding in findings if not finding.allowed]
    if not drifted or any(
        finding.verdict != "rounding" or finding.lock == "changed" for finding in drifted
    ):
        return None
    suggestion = dict(expect)
    for axis in AXES:
        differing = [f for f in findings if f.comparison.axis == axis and f.verdict == "rounding"]
        if any(not finding.allowed for finding in differing):
            most = max(largest_ulp(finding.comparison) for finding in differing)
            suggestion[axis] = (
                Allowance("ulps", most) if most <= FEW_ULPS else Allowance("rounding")
            )
    passes = all(accepts(finding, suggestion[finding.comparison.axis]) for finding in findings)
    return suggestion if passes else None
