"""Names and phrases that several reports use, made from a result's own fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from convdiff.case.axes import AXES, filters
from convdiff.case.words import given, plural, short
from convdiff.compare.comparison import Comparison, Nearness
from convdiff.diagnose.evidence import Evidence, Look, SideFact, Sides
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.plan.cell import Cell
from convdiff.report.numbers import count
from convdiff.result import CaseResult


def sides(comparison: Comparison, case: CaseResult) -> tuple[str, str]:
    """Name both sides by what tells them apart."""
    return (
        _of(comparison.baseline, comparison, case),
        _of(comparison.candidate, comparison, case),
    )


def _of(cell: Cell, comparison: Comparison, case: CaseResult) -> str:
    if comparison.axis == "baseline":
        return _recorded(cell, comparison)
    side = AXES[comparison.axis].side
    return number(cell, case) if side is None else side(cell)


def _recorded(cell: Cell, comparison: Comparison) -> str:
    """Name a recording's side, or what was run now; with its length and batch where unlike."""
    baseline, candidate = comparison.baseline, comparison.candidate
    name = cell.runtime.origin or "now"
    if baseline.length != candidate.length:
        name += f" T={cell.length}"
    if baseline.batch != candidate.batch:
        name += f" batch {cell.batch}"
    return name


def number(cell: Cell, case: CaseResult) -> str:
    """Return a runtime's number in the report's list of runtimes."""
    if cell.runtime not in case.runtimes:
        return cell.runtime.origin
    return f"#{case.runtimes.index(cell.runtime) + 1}"


def context(comparison: Comparison, case: CaseResult) -> str:
    """Name what both sides share, as far as the case has more than one of it."""
    cell, axis, parts = comparison.candidate, comparison.axis, []
    if axis != "length" and len(case.case.lengths) > 1:
        parts.append(f"T={cell.length}")
    if axis != "batch" and len(case.case.batches) > 1:
        parts.append(f"batch {cell.batch}")
    if axis != "channels" and cell.channels:
        parts.append(filters(cell.channels))
    parts.append(_shared_runtime(comparison, case))
    if axis != "reference" and cell.is_reference:
        parts.append(cell.op)
    return " ".join(filter(None, parts))


def _shared_runtime(comparison: Comparison, case: CaseResult) -> str:
    """Name the runtime of both sides, or both of two recordings, where there are others."""
    if comparison.axis == "baseline" and comparison.baseline.runtime in case.runtimes:
        if len(case.runtimes) <= 2:
            return ""
        candidate, baseline = comparison.candidate, comparison.baseline
        return f"{number(candidate, case)} against {number(baseline, case)}"
    if AXES[comparison.axis].between_runtimes or len(case.runtimes) < 2:
        return ""
    return number(comparison.candidate, case)


def evidence(finding: Finding, names: tuple[str, str]) -> str:
    """Say what a verdict rests on, with the sides called by these names."""
    return _facts(finding.evidence, names)


def evidence_beside_the_answer(finding: Finding, names: tuple[str, str]) -> str:
    """Say what a verdict rests on, less what it looks like, which the answer has said."""
    return _facts([fact for fact in finding.evidence if not isinstance(fact, Look)], names)


def _facts(facts: Iterable[Evidence], names: tuple[str, str]) -> str:
    called = dict(zip(("baseline", "candidate"), names, strict=True))
    return "; ".join(_fact(fact, called) for fact in facts)


def _fact(fact: Evidence, called: Mapping[str, str]) -> str:
    if isinstance(fact, SideFact):
        return f"{called[fact.side]}: {fact.fact}"
    if isinstance(fact, Look):
        return _of_side(fact.fact, fact.side, called)
    return fact


def mistake(finding: Finding, names: tuple[str, str]) -> str:
    """Name the known mistake that a finding fits; after its side where that is not the candidate.

    Empty where it fits none.
    """
    called = dict(zip(("baseline", "candidate"), names, strict=True))
    return _of_side(finding.fits or "", finding.fits_side or "candidate", called)


def _of_side(fact: str, side: Sides, called: Mapping[str, str]) -> str:
    return fact if side == "candidate" else f"{called.get(side, side)}: {fact}"


def reason(finding: Finding) -> str:
    """Say why a comparison proves nothing."""
    listed = "; ".join(map(str, finding.evidence))
    return finding.comparison.reason or listed or finding.verdict


def nearer(comparison: Comparison, case: CaseResult) -> str:
    """Say which side is closer to the correctly rounded result: at its worst, and how often."""
    nearness = comparison.nearness
    if nearness is None:
        return ""
    names = dict(zip(("baseline", "candidate"), sides(comparison, case), strict=True))
    baseline, candidate = names.values()
    errors = f"{baseline}: {nearness.baseline_abs:.3g}, {candidate}: {nearness.candidate_abs:.3g}"
    often = _how_often(nearness, names)
    if nearness.nearer != "neither":
        name = names[nearness.nearer]
        return f"{name} is closer to the exact result (largest error: {errors}); {often}"
    if nearness.oftener != "neither":
        return f"{often}; their largest errors are equal ({errors})"
    return f"both; their largest errors are equal ({errors}), and {often}"


def _how_often(nearness: Nearness, names: Mapping[str, str]) -> str:
    """Say at how many elements each side is nearer than the other."""
    of = f"of {plural(nearness.elements, 'element')}"
    if nearness.oftener == "neither":
        return f"each is nearer at {nearness.baseline_nearer:,} {of}"
    most, fewest = nearness.candidate_nearer, nearness.baseline_nearer
    other = "baseline"
    if nearness.oftener == "baseline":
        most, fewest, other = fewest, most, "candidate"
    return (
        f"{names[nearness.oftener]} is nearer more often, at {most:,} {of}, "
        f"{names[other]} at {fewest:,}"
    )


def safe(lengths: SafeLengths) -> str:
    """Say which lengths are safe, with the rule where there is one."""
    if lengths.untested and not lengths.lengths[:-1] and not lengths.unsafe:
        return f"untested against T={lengths.longest}"
    if lengths.unstable:
        listed = short(lengths.unstable)
        return f"none can be named: length {listed} gives other bits each time"
    untested = short(lengths.untested)
    return _agreeing(lengths) + _proved(lengths) + given(untested, "; untested: {}")


def pad_to(lengths: SafeLengths) -> str:
    """Say to which lengths to pad, and how far that is proved."""
    if len(lengths.lengths) == 1 or lengths.unstable:
        return f"length {lengths.longest}: no other length that was run is safe"
    which = lengths.rule or short(lengths.lengths[:-1])
    how = f"on {lengths.inputs + 1} inputs tried"
    if lengths.all_proved:
        how = "proved for every input"
    return f"length {which}: the bits of length {_longest(lengths)}, {how}"


def _agreeing(lengths: SafeLengths) -> str:
    tried = f"on this input and on {lengths.inputs} or more random ones"
    if not lengths.unsafe:
        return f"all lengths agree with {_longest(lengths, 'T=')} {tried}"
    if len(lengths.lengths) == 1:
        return f"none agrees with {_longest(lengths, 'T=')}"
    listed = lengths.rule or short(lengths.lengths[:-1])
    return f"{listed}: bit-identical to {_longest(lengths, 'T=')} {tried}"


def _longest(lengths: SafeLengths, mark: str = "") -> str:
    """Name the length with which others are compared; where windows start unlike, each of them."""
    named = [f"{mark}{length}" for length in (*lengths.others, lengths.longest)]
    return " or ".join(named) + given(lengths.others, ", whichever windows start alike")


def _proved(lengths: SafeLengths) -> str:
    if not lengths.proved:
        return ""
    if lengths.all_proved:
        return "; proved safe by equal orders: all of them"
    return f"; proved safe by equal orders: {short(lengths.proved)}"


def measured(comparison: Comparison) -> str:
    """Say how many elements differ."""
    difference = comparison.difference
    if difference is None:
        return "—"
    share = f"{count(difference.differing)}/{count(difference.elements)}"
    if comparison.sampled_of is None:
        return share
    return f"{share} of {comparison.sampled_of:,}"


def sampled(comparison: Comparison) -> str:
    """Say how many outputs were looked at, where not all were."""
    difference = comparison.difference
    if difference is None or comparison.sampled_of is None:
        return ""
    return f"at {difference.elements:,} of {comparison.sampled_of:,} outputs"


def largest(comparison: Comparison) -> tuple[str, str]:
    """Return the largest difference and the largest distance in ulps."""
    difference = comparison.difference
    if difference is None or difference.worst is None:
        return "", ""
    return f"{float(difference.worst.delta[0]):+.2e}", count(difference.max_ulp)


def searches(words: str) -> str:
    """Name the commands that search for what makes a case equal, and for the least of it."""
    return f"convdiff cure{words} · likewise convdiff shrink"
