"""The short report's answer: what gives other bits than what, or how each axis stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.verdict import is_opinion
from convdiff.diagnose.verdicts import VERDICTS, gravity
from convdiff.report import sentences
from convdiff.report.groups import Row, unusual
from convdiff.report.headline import FEW_ULPS
from convdiff.report.numbers import count
from convdiff.report.summary import CaseSummary

ONE_OR_MANY: Mapping[Axis, tuple[tuple[str, str], tuple[str, str]]] = {
    "length": (("length", "gives"), ("lengths", "give")),
    "batch": (("batch", "gives"), ("batches", "give")),
}


def standing(case: CaseSummary) -> str:
    """Say how each axis stands: what is equal first, then what rounds; else the whole headline."""
    findings = [row.finding for row in case.rows]
    plain = all(f.verdict in ("same", "rounding") and f.lock != "unproved" for f in findings)
    if case.result.outcome != "ok" or not plain or any(one.some_unsafe for one in case.advice.safe):
        return case.headline
    return "; ".join(by_standing(case.rows))


def by_standing(rows: Sequence[Row]) -> Iterator[str]:
    """Yield which axes are bitwise equal, then how each other one differs, and by how much.

    An axis along which only convdiff's own multiply + reduce_sum rounds is equal, and says so.
    """
    equal: list[Axis] = []
    own: list[Row] = []
    others = []
    for axis, members in _axes(unusual(rows) or rows).items():
        differing = [row for row in members if differs(row)]
        if all(map(_is_own, differing)):
            equal.append(axis)
            own += differing
        else:
            others.append(f"{axis} {_gravest(differing)}, {_largest(differing)}")
    if equal:
        beside = f" (multiply + reduce_sum: {_gravest(own)}, {_largest(own)})" if own else ""
        yield f"{', '.join(equal)} bitwise equal{beside}"
    yield from others


def _axes(rows: Sequence[Row]) -> Mapping[Axis, Sequence[Row]]:
    axes: dict[Axis, list[Row]] = {}
    for row in rows:
        axes.setdefault(row.finding.comparison.axis, []).append(row)
    return axes


def differs(row: Row) -> bool:
    """Return whether both sides are there, and are not the same."""
    return VERDICTS[row.finding.verdict].differs


def _is_own(row: Row) -> bool:
    """Return whether a row compares convdiff's own sums, and no convolution."""
    return is_opinion(row.finding.comparison)


def _gravest(rows: Sequence[Row]) -> str:
    """Say the gravest verdict of some rows: what `expect` puts up with need not be rounding."""
    verdict = max((row.finding.verdict for row in rows), key=gravity)
    return verdict if verdict == "rounding" else f"{verdict}, as `expect` allows"


def _largest(rows: Sequence[Row]) -> str:
    """Return the largest difference of some rows: ulps, or |Δ| where sums cancel."""
    measured = [row.finding.comparison.difference for row in rows]
    there = [difference for difference in measured if difference is not None]
    if not there:
        return "not measured"
    if any(difference.appeared for difference in there):
        return "NaN or infinity on one side"
    ulp = max(difference.max_ulp for difference in there)
    if ulp <= FEW_ULPS:
        return f"≤ {count(ulp)} ulp"
    return f"|Δ| ≤ {max(difference.max_abs for difference in there):.3g}"


def drift(case: CaseSummary, worst: Row) -> str:
    """Say what gives other bits than what, and how many; what it looks like; what else drifts."""
    comparison = worst.finding.comparison
    told_whole = worst.finding.verdict == "same" or comparison.strayed
    if told_whole or comparison.baseline.is_exact:
        return case.headline
    drifting = [row for row in case.rows if not row.finding.allowed]
    alike = [row for row in drifting if row.finding.comparison.axis == comparison.axis]
    fits = f": {worst.finding.fits}" if worst.finding.fits else ""
    measured = worst.measured.replace("/", " of ")
    told = comparison.difference is not None and comparison.difference.differing
    size = f" ({measured}, {_largest(alike)})" if told else ""
    return _sides(case, worst, alike) + fits + size + _also(drifting, comparison.axis)


def _also(drifting: Sequence[Row], told: Axis) -> str:
    """Name the other axes that drift."""
    axes = dict.fromkeys(row.finding.comparison.axis for row in drifting)
    also = [AXES[axis].noun for axis in axes if axis != told]
    return f"; also with {' and '.join(also)}" if also else ""


def _sides(case: CaseSummary, worst: Row, alike: Sequence[Row]) -> str:
    comparison, facts = worst.finding.comparison, AXES[worst.finding.comparison.axis]
    named = {
        "baseline": worst.baseline,
        "candidate": worst.candidate,
        "op": comparison.candidate.op,
    }
    if facts.value is not None:
        against = [row.finding.comparison for row in alike]
        same = [one for one in against if one.baseline == comparison.baseline]
        values = sorted({facts.value(one.candidate) for one in same})
        noun, verb = ONE_OR_MANY[comparison.axis][len(values) > 1]
        named |= {"values": f"{noun} {sentences.short(values)}", "verb": verb}
        named |= {"value": str(facts.value(comparison.baseline))}
    if facts.between_runtimes:
        named = {side: _called(case, name) for side, name in named.items()}
    return facts.brief.format(**named) + _in_runtime(case, worst)


def _called(case: CaseSummary, name: str) -> str:
    """Return a runtime's number with its id."""
    ids = {f"#{runtime.number}": f"{runtime.id} (#{runtime.number})" for runtime in case.runtimes}
    return ids.get(name, name)


def _in_runtime(case: CaseSummary, worst: Row) -> str:
    """Say in which runtime bits drift, where there are others and both sides are of one."""
    number = next((word for word in worst.where.split() if word.startswith("#")), "")
    return f" in {_called(case, number)}" if number else ""


def full(name: str) -> str:
    """Write T=7 as length 7; other names of sides stay."""
    return f"length {name[2:]}" if name.startswith("T=") else name
