"""The answer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.case.axes import AXES
from convdiff.diagnose.verdict import Finding, is_refused
from convdiff.diagnose.verdicts import VERDICTS, gravity
from convdiff.report.console.words import short, sides
from convdiff.report.numbers import count
from convdiff.result import CaseResult

FEW_ULPS = 256


def worst_finding(case: CaseResult) -> Finding | None:
    """Return the finding that a headline is about: drift first, then gravity, then size."""
    return max(
        (f for f in case.findings if VERDICTS[f.verdict].differs or f.lock == "changed"),
        key=lambda f: (
            not f.allowed,
            gravity(f.verdict),
            f.comparison.difference.max_abs if f.comparison.difference else 0.0,
        ),
        default=None,
    )


def headline(case: CaseResult) -> str:
    """Return what was found: what drifted, or else how each axis stands."""
    worst = worst_finding(case)
    if worst is not None and not worst.allowed:
        return _drift(case, worst)
    if any(safe.unstable for safe in case.safe_lengths):
        return "the same cell gives other bits when it is run again on random inputs: unstable"
    if not case.findings:
        return "nothing was compared" + ("" if case.runtimes else ": no runtime is available")
    refused = [f for f in case.findings if is_refused(f)]
    if refused:
        reasons = dict.fromkeys(f.comparison.reason or f.evidence[0] for f in refused)
        baselines = [f for f in case.findings if f.comparison.axis == "baseline"]
        name = sides(refused[0].comparison, case)[0]
        many = f"{len(refused):,} of {len(baselines):,} cells"
        return f"{many} can't be held against {name}: {'; '.join(reasons)}"
    axes = dict.fromkeys(finding.comparison.axis for finding in case.findings)
    return "; ".join(_axis(case, axis) for axis in axes)


def _drift(case: CaseResult, worst: Finding) -> str:
    comparison = worst.comparison
    drifted = [f for f in case.findings if not f.allowed and f.comparison.axis == comparison.axis]
    baseline, candidate = sides(comparison, case)
    if worst.verdict == "same":
        return f"the bits are those of {baseline}, but the summation order is locked and changed"
    facts = AXES[comparison.axis]
    named = {"baseline": baseline, "candidate": candidate, "op": comparison.candidate.op}
    if facts.value is not None:
        against = [f.comparison for f in drifted if f.comparison.baseline == comparison.baseline]
        values = sorted({facts.value(one.candidate) for one in against})
        named |= {"values": short(values), "value": str(facts.value(comparison.baseline))}
    text = f"{facts.drift.format(**named)}: {worst.verdict}"
    if worst.verdict == "rounding":
        text += f", {_cause(drifted)}"
    if worst.fits:
        text += f", {worst.fits}"
    also = dict.fromkeys(
        AXES[f.comparison.axis].noun
        for f in case.findings
        if not f.allowed and f.comparison.axis != comparison.axis
    )
    if any(f.lock == "changed" for f in drifted):
        text += ", and the locked summation order changed"
    return text + _size(drifted) + (f"; also drift with {' and '.join(also)}" if also else "")


def _cause(findings: Sequence[Finding]) -> str:
    """Name the causes that were proved, or say how far the proof goes."""
    whys = [finding.why for finding in findings]
    causes = sorted({cause for why in whys if why is not None for cause in why.causes})
    if not causes:
        return "unexplained"
    proved = all(why is not None and why.status == "proved" for why in whys)
    return f"{'proved' if proved else 'partly proved'}: {', '.join(causes)}"


def _axis(case: CaseResult, axis: str) -> str:
    """Say how the comparisons along one axis ended."""
    findings = [f for f in case.findings if f.comparison.axis == axis]
    kinds = sorted({finding.verdict for finding in findings})
    if kinds == ["same"]:
        chance = [n for safe in case.safe_lengths for n in safe.unsafe] if axis == "length" else []
        only = f" on this input, but not on random ones (length {short(sorted(set(chance)))})"
        return f"{axis}: bitwise equal" + (only if chance else "")
    said = []
    for kind in kinds:
        members = [f for f in findings if f.verdict == kind]
        how_many = f"{len(members)} of {len(findings)} " if len(kinds) > 1 else ""
        said.append(how_many + kind + (_size(members) if kind == "rounding" else ""))
    return f"{axis}: {', '.join(said)}"


def _size(findings: Sequence[Finding]) -> str:
    """Say how large the differences are; ulps say little where sums cancel to near zero."""
    found = [f.comparison.difference for f in findings if f.comparison.difference]
    if not found:
        return ""
    ulp = max(difference.max_ulp for difference in found)
    text = f", |Δ| ≤ {max(difference.max_abs for difference in found):.8e}"
    return f", at most {count(ulp)} ulp{text}" if ulp <= FEW_ULPS else text
