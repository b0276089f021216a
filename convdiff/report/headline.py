"""The answer in one sentence, and the finding that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

from convdiff.case.axes import AXES, Axis
from convdiff.case.words import given, one_or_many, short
from convdiff.compare.difference import Difference
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.verdict import Finding, is_opinion, is_refused
from convdiff.diagnose.verdicts import VERDICTS, gravity
from convdiff.order.counterfactual import Cause
from convdiff.report.exactly import equal_but_off, is_usual, without_usual
from convdiff.report.numbers import count
from convdiff.report.sentences import mistake, number, sides
from convdiff.result import CaseResult

FEW_ULPS = 256
"""Above, sums cancel to near zero, and ulps say little."""


def worst_finding(findings: Sequence[Finding]) -> Finding | None:
    """Return the finding that a headline is about: drift first, then gravity, then size."""
    return max(filter(_tells, findings), key=_weight, default=None)


def _tells(finding: Finding) -> bool:
    if is_usual(finding):
        return False
    return VERDICTS[finding.verdict].differs or finding.lock == "changed"


def _weight(finding: Finding) -> tuple[bool, int, bool, float]:
    """Two sides that differ tell more than one that is off."""
    between = not finding.comparison.baseline.is_exact
    return not finding.allowed, gravity(finding.verdict), between, size(finding)


def size(finding: Finding) -> float:
    """Return the largest |Δ| of a finding, 0 where nothing was measured."""
    return max((one.max_abs for one in differences_of([finding])), default=0.0)


def differences_of(findings: Sequence[Finding]) -> list[Difference]:
    """Return what was measured of some findings."""
    measured = [finding.comparison.difference for finding in findings]
    return [difference for difference in measured if difference is not None]


def headline(case: CaseResult, findings: Sequence[Finding]) -> str:
    """Return what some or all of a case's findings say: what drifted, or how each axis stands."""
    worst = worst_finding(findings)
    if worst is not None and not worst.allowed:
        return _drift(case, worst, findings)
    if any(safe.unstable for safe in case.safe_lengths):
        return "the same cell gives other bits when it is run again on random inputs: unstable"
    if not findings:
        return "nothing was compared" + ("" if case.runtimes else ": no runtime is available")
    left = left_out(case)
    if left:
        return f"{left}; {_axes(case, findings)}"
    refused = [finding for finding in findings if is_refused(finding)]
    if refused:
        return _refusal(case, refused, len(by_axis(findings).get("baseline", [])))
    return _axes(case, findings)


def _axes(case: CaseResult, findings: Sequence[Finding]) -> str:
    axes = by_axis(without_usual(findings))
    return "; ".join(_axis(case, axis, members) for axis, members in axes.items())


def left_out(case: CaseResult) -> str:
    """Say which axes were not compared before it ended, or not wholly; "" where all were."""
    made = {finding.axis for finding in case.findings}
    none = [axis for axis in case.left if axis not in made]
    some = [axis for axis in case.left if axis in made]
    parts = given(", ".join(none), "{} not compared"), given(", ".join(some), "{} compared in part")
    return "; ".join(filter(None, parts))


def _refusal(case: CaseResult, refused: Sequence[Finding], baselines: int) -> str:
    reasons = dict.fromkeys(f.comparison.reason or str(f.evidence[0]) for f in refused)
    name = sides(refused[0].comparison, case)[0]
    many = f"{len(refused):,} of {baselines:,} cells"
    return f"{many} can't be held against {name}: {'; '.join(reasons)}"


def _drift(case: CaseResult, worst: Finding, findings: Sequence[Finding]) -> str:
    axes = by_axis(finding for finding in findings if not finding.allowed)
    drifted = axes[worst.axis]
    if worst.verdict == "same":
        baseline = sides(worst.comparison, case)[0]
        return f"the bits are those of {baseline}, but the summation order is locked and changed"
    text = equal_but_off(case, worst) if worst.comparison.baseline.is_exact else ""
    text = text or ", ".join(_parts(case, worst, drifted))
    also = [AXES[axis].noun for axis in axes if axis not in (worst.axis, "exact")]
    own = is_opinion(worst.comparison)
    text += _size([one for one in drifted if is_opinion(one.comparison) == own])
    text += given(" and ".join(also), "; also drift with {}")
    return text + _off_too(case, worst, axes.get("exact", []))


def _parts(case: CaseResult, worst: Finding, drifted: Sequence[Finding]) -> Iterator[str]:
    """Yield what drifts, with which verdict, and why."""
    yield f"{_what_drifts(case, worst, drifted)}: {worst.verdict}"
    if worst.verdict == "rounding" and not worst.comparison.baseline.is_exact:
        yield _cause(drifted)
    if worst.flushes:
        yield "subnormals are flushed to zero"
    if worst.fits:
        yield mistake(worst, sides(worst.comparison, case))
    if any(finding.lock == "changed" for finding in drifted):
        yield "and the locked summation order changed"


def _off_too(case: CaseResult, worst: Finding, off: Sequence[Finding]) -> str:
    """Name the sides that are off the exact result, where the worst is another drift."""
    if not off or worst.axis == "exact":
        return ""
    names = [finding.comparison.candidate.op for finding in off]
    if len(case.runtimes) > 1:
        names = [number(finding.comparison.candidate, case) for finding in off]
    verb = one_or_many(len(names), "is", "are")
    return f"; {' and '.join(names)} {verb} off the exact result"


def _special_values(case: CaseResult, worst: Finding) -> str:
    """Say which sides make something else of NaN and infinity in the data; bits may be equal."""
    astray = compress(sides(worst.comparison, case), worst.comparison.astray)
    return f"NaN or infinity in the data is not what it must be on {' and '.join(astray)}"


def _what_drifts(case: CaseResult, worst: Finding, drifted: Sequence[Finding]) -> str:
    """Say what changes the bits, as the worst finding's axis says it."""
    comparison, facts = worst.comparison, AXES[worst.axis]
    if comparison.strayed and comparison.axis != "clean":
        return _special_values(case, worst)
    baseline, candidate = sides(comparison, case)
    named = {"baseline": baseline, "candidate": candidate, "op": comparison.candidate.op}
    if facts.value is not None:
        values = short(values_along(worst, drifted))
        named |= {"values": values, "value": str(facts.value(comparison.baseline))}
    return facts.drift.format(**named)


def values_along(worst: Finding, drifted: Sequence[Finding]) -> list[int]:
    """Return the values along an axis that were held against the worst finding's baseline."""
    comparison, value = worst.comparison, AXES[worst.axis].value
    if value is None:
        return []
    against = [one.comparison for one in drifted]
    same = [one.candidate for one in against if one.baseline == comparison.baseline]
    return sorted(set(map(value, same)))


def _cause(findings: Sequence[Finding]) -> str:
    """Name the causes that were proved, or say how far the proof goes."""
    causes: set[Cause] = set()
    statuses = set()
    for finding in findings:
        if finding.why is None:
            statuses.add("unexplained")
        else:
            causes |= finding.why.causes.keys()
            statuses.add(finding.why.status)
    if not causes:
        return "unexplained"
    proof = "proved" if statuses == {"proved"} else "partly proved"
    return f"{proof}: {', '.join(sorted(causes))}"


def _axis(case: CaseResult, axis: Axis, findings: Sequence[Finding]) -> str:
    """Say how the comparisons along one axis ended."""
    own = [finding for finding in findings if is_opinion(finding.comparison)]
    ops = [finding for finding in findings if not is_opinion(finding.comparison)]
    if not ops:
        return f"{axis}, of multiply + reduce_sum alone: {_tally(own)}"
    if {finding.verdict for finding in ops} == {"same"}:
        equal = f"{axis}: bitwise equal{_by_chance(case, axis)}"
        differing = [finding for finding in own if finding.verdict != "same"]
        return equal + given(_tally(differing), "; only multiply + reduce_sum differs ({})")
    return f"{axis}: {_tally(ops)}" + given(_tally(own), " (multiply + reduce_sum: {})")


def _tally(findings: Sequence[Finding]) -> str:
    """List the verdicts of some findings, how many have each where there are several."""
    counts = Counter(finding.verdict for finding in findings)
    tally = []
    for verdict, members in sorted(counts.items()):
        text: str = verdict
        if len(counts) > 1:
            text = f"{members} of {len(findings)} {verdict}"
        if verdict == "rounding":
            text += _size([finding for finding in findings if finding.verdict == verdict])
        tally.append(text)
    return ", ".join(tally)


def _by_chance(case: CaseResult, axis: Axis) -> str:
    """Say where lengths are equal on the case's own input, and not on random ones."""
    unsafe = {one.runtime: one.unsafe for one in case.safe_lengths}
    if axis != "length" or not any(unsafe.values()):
        return ""
    return f" on this input, but not on random ones ({_unsafe(unsafe)})"


def _unsafe(by_runtime: Mapping[str, tuple[int, ...]]) -> str:
    """Say which lengths are unsafe, and in which runtime where they are not the same in all."""
    if len(set(by_runtime.values())) == 1:
        return f"length {short(next(iter(by_runtime.values())))}"
    parts = []
    for name, lengths in by_runtime.items():
        if lengths:
            parts.append(f"length {short(lengths)} in {name}")
    return "; ".join(parts)


def _size(findings: Sequence[Finding]) -> str:
    """Say how large the differences are; ulps say little where sums cancel to near zero."""
    differences = differences_of(findings)
    largest = max((one.max_abs for one in differences), default=0.0)
    ulp = max((one.max_ulp for one in differences), default=0)
    if largest in (0.0, float("inf")) and not ulp:
        return ""
    text = f", |Δ| ≤ {largest:.8e}"
    if 0 < ulp <= FEW_ULPS:  # none where all that differs is not finite
        return f", at most {count(ulp)} ulp{text}"
    return text
