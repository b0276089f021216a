"""What is said of outputs that were held against the exact result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from convdiff.case.words import given
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.result import CaseResult

DEEDS: Mapping[str, str] = {
    "the dilation is ignored": "ignore the dilation",
    "the dilation is ignored, the output cut": "ignore the dilation",
    "the strides are ignored": "ignore the strides",
    "the bias is missing": "leave the bias out",
    "the bias is added twice": "add the bias twice",
    "half of the bias is added": "add half of the bias",
    "the bias is subtracted": "subtract the bias",
    "the filter is flipped (true convolution, not cross-correlation)": "flip the filter",
}
"""Known mistakes as what is done; all others are named as they are."""


def is_usual(finding: Finding) -> bool:
    """Return whether a finding only says that a sum was rounded, as all are."""
    fine = finding.verdict in ("same", "rounding", "mistrusted") and finding.allowed
    return finding.comparison.baseline.is_exact and fine


def without_usual(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that say more than that sums are rounded; all, where none does.

    A cell that gave no bits is told of along all other axes.
    """
    findings = list(findings)
    return list(filter(_is_telling, findings)) or findings


def _is_telling(finding: Finding) -> bool:
    missing = finding.comparison.baseline.is_exact and finding.verdict == "untested"
    return not missing and not is_usual(finding)


def equal_but_off(case: CaseResult, finding: Finding) -> str:
    """Say that all sides are equal, and what is wrong with them; empty where they are not equal."""
    others = [one for one in case.findings if not one.comparison.baseline.is_exact]
    if not _are_equal(others):
        return ""
    sides = "both" if len(_sides(others)) == 2 else "all"
    return f"equal, {_what_all_do(finding, sides)}: {finding.verdict}"


def _are_equal(findings: Sequence[Finding]) -> bool:
    """Return whether something was compared, and nothing differs."""
    verdicts = {finding.verdict for finding in findings} - {"untested"}
    return bool(verdicts) and not any(VERDICTS[verdict].differs for verdict in verdicts)


def _what_all_do(finding: Finding, sides: str) -> str:
    if finding.flushes:
        return f"but {sides} flush subnormals to zero"
    deed = DEEDS.get(finding.fits or "")
    if deed:
        return f"and {sides} {deed}"
    return f"but {sides} are off the exact result{given(finding.fits, ' ({})')}"


def _sides(findings: Sequence[Finding]) -> set[object]:
    """Return who was compared: runtimes with their ops, or else the values along one axis."""
    cells = set(chain.from_iterable(finding.comparison.cells for finding in findings))
    kinds = {(cell.runtime, cell.op) for cell in cells}
    return set(kinds) if len(kinds) > 1 else set(cells)
