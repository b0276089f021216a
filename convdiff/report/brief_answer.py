"""The short report's answer: what gives other bits than what, or how each axis stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from convdiff.case.axes import AXES, Axis
from convdiff.case.words import plural, short
from convdiff.diagnose.verdict import is_opinion, is_refused
from convdiff.diagnose.verdicts import VERDICTS, gravity
from convdiff.plan.cell import Cell
from convdiff.report import sentences
from convdiff.report.brief_names import called, side_names
from convdiff.report.groups import Row, unusual
from convdiff.report.headline import FEW_ULPS, headline, worst_finding
from convdiff.report.numbers import count
from convdiff.report.summary import CaseSummary

NEAR = 8
"""Ulps above which an output is likely to be near zero beside the terms of its sum."""
OWN: tuple[Axis, ...] = ("reference", "exact")
"""Axes that hold a convolution against what convdiff computes."""
LOCKED = "; the order is locked and changed"
ONE_OR_MANY: Mapping[Axis, tuple[tuple[str, str], tuple[str, str]]] = {
    "length": (("length", "gives"), ("lengths", "give")),
    "batch": (("batch", "gives"), ("batches", "give")),
    "channels": (("the first", "gives"), ("the first", "give")),
}


def standing(case: CaseSummary) -> str:
    """Say how each axis stands: what is equal first, then what rounds; else the whole headline."""
    there = [row for row in case.rows if row.finding.verdict != "untested"]
    unsafe = any(one.some_unsafe for one in case.advice.safe)
    missing = len(case.rows) - len(there)
    if unsafe or not case.rows or not all(map(_is_plain, there)):
        return case.headline
    if case.result.outcome == "untested" and missing:
        return _partly(case, missing, there)
    if case.result.outcome != "ok" or missing:
        return case.headline
    return "; ".join(by_standing(there))


def standing_of_axes(case: CaseSummary) -> str:
    """Return the beginning of `standing` that names each axis that differs; "" where none does."""
    differing = [text for axis, text in differing_axes(case.rows) if axis not in OWN]
    beginning, whole = "; ".join(differing), standing(case)
    return beginning if whole.startswith(beginning) else whole


def _partly(case: CaseSummary, missing: int, there: Sequence[Row]) -> str:
    """Say how much could not be compared, and how the rest stands."""
    if any(is_refused(row.finding) for row in case.rows):
        return case.headline
    of = plural(len(case.rows), "comparison")
    if not there:
        return f"none of {of} could be made"
    rest = "; ".join(by_standing(there))
    return f"{missing:,} of {of} could not be made; the others: {rest}"


def _is_plain(row: Row) -> bool:
    return row.finding.verdict in ("same", "rounding") and row.finding.lock != "unproved"


def by_standing(rows: Sequence[Row]) -> Iterator[str]:
    """Yield how each axis differs, and by how much, then which are bitwise equal.

    What was run is told before what it is held against. An axis along which only convdiff's own
    multiply + reduce_sum rounds is equal, and says so.
    """
    differing = list(differing_axes(rows))
    yield from (text for axis, text in differing if axis not in OWN)
    yield from _equal_axes(rows)
    yield from (text for axis, text in differing if axis in OWN)


def differing_axes(rows: Sequence[Row]) -> Iterator[tuple[Axis, str]]:
    """Yield each axis along which a convolution differs, and by how much."""
    for axis, members in _axes(unusual(rows) or rows).items():
        ops = [row for row in members if differs(row) and not _is_own(row)]
        if ops:
            yield axis, f"{_named(axis, ops)} {_gravest(ops)}, {_largest(ops)}"


def _equal_axes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield which axes are bitwise equal, and how convdiff's own sums differ along them.

    Where nothing but these sums was compared, nothing is said of the convolution.
    """
    equal: list[str] = []
    own: list[Row] = []
    alone: list[str] = []
    for axis, members in _axes(unusual(rows) or rows).items():
        differing = [row for row in members if differs(row)]
        if all(map(_is_own, members)):
            alone.append(f"{axis} of multiply + reduce_sum alone: {_how_own(differing)}")
        elif all(map(_is_own, differing)):
            equal.append(_named(axis, members))
            own += differing
    if equal:
        beside = f" (multiply + reduce_sum: {_how_own(own)})" if own else ""
        yield f"{', '.join(equal)} bitwise equal{beside}"
    yield from alone


def _how_own(differing: Sequence[Row]) -> str:
    """Say how convdiff's own sums differ."""
    return f"{_gravest(differing)}, {_largest(differing)}" if differing else "bitwise equal"


def _named(axis: Axis, rows: Sequence[Row]) -> str:
    """Return an axis, and at how many outputs a reference was computed where not at all."""
    sample = sentences.sampled(rows[0].finding.comparison) if axis == "reference" else ""
    return f"{axis} ({sample})" if sample else axis


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
    beside = _at_terms(rows) if ulp > NEAR else ""
    if ulp <= FEW_ULPS:
        return f"≤ {count(ulp)} ulp{beside}"
    return f"|Δ| ≤ {max(difference.max_abs for difference in there):.3g}{beside}"


def _at_terms(rows: Sequence[Row]) -> str:
    """Return ulps at the size of the terms, where all of it is rounding."""
    ulps = math.ceil(max(row.finding.comparison.terms_ulp for row in rows))
    rounding = all(row.finding.verdict in ("same", "rounding") for row in rows)
    return f", {ulps:,} at the terms' size" if rounding and ulps else ""


def drift(case: CaseSummary, worst: Row) -> str:
    """Say what gives other bits than what, and how many; what it looks like; what else drifts."""
    if _is_told_whole(worst):
        return case.headline
    also = [AXES[row.finding.comparison.axis].noun for row in other_drifts(case, worst)]
    return told(case, worst) + (f"; also with {' and '.join(also)}" if also else "")


def told(case: CaseSummary, worst: Row) -> str:
    """Say what drifts along one axis, of which this is the worst comparison."""
    comparison = worst.finding.comparison
    drifting = [row for row in _drifting(case) if row.finding.comparison.axis == comparison.axis]
    if _is_told_whole(worst):
        return headline(case.result, [row.finding for row in drifting])
    fits = _mistake(case, worst)
    locked = any(row.finding.lock == "changed" for row in drifting)
    size = _size(worst, drifting)
    return _sides(case, worst, drifting) + fits + size + (LOCKED if locked else "")


def _mistake(case: CaseSummary, worst: Row) -> str:
    """Say which known mistake it looks like, of which side where that is not the candidate."""
    text = sentences.mistake(worst.finding, side_names(case, worst))
    if not text:
        return ""
    return f"{':' if text == worst.finding.fits else ';'} {text}"


def other_drifts(case: CaseSummary, worst: Row) -> Sequence[Row]:
    """Return the worst comparison along each other axis that drifts."""
    others = []
    for axis, rows in _axes(_drifting(case)).items():
        if axis != worst.finding.comparison.axis:
            gravest = worst_finding([row.finding for row in rows])
            others += [row for row in rows if row.finding is gravest]
    return others


def worst_allowed(case: CaseSummary) -> Mapping[Axis, Row]:
    """Return the worst of what differs and is allowed along each axis, of convolutions alone."""
    worst: dict[Axis, Row] = {}
    allowed = [row for row in case.rows if row.finding.allowed and differs(row)]
    for axis, rows in _axes([row for row in allowed if not _is_own(row)]).items():
        gravest = worst_finding([row.finding for row in rows])
        if axis != "exact":
            worst[axis] = next(row for row in rows if row.finding is gravest)
    return worst


def _drifting(case: CaseSummary) -> Sequence[Row]:
    return [row for row in case.rows if not row.finding.allowed]


def _is_told_whole(row: Row) -> bool:
    """Return whether the headline says what no pair of sides does."""
    comparison = row.finding.comparison
    unlike = row.finding.verdict == "same" or comparison.strayed
    return bool(unlike) or comparison.baseline.is_exact


def _size(worst: Row, drifting: Sequence[Row]) -> str:
    """Say how much differs in the worst comparison, and how much in others where that is more."""
    difference = worst.finding.comparison.difference
    if difference is None or not difference.differing:
        return ""
    of_a_kind = [row for row in drifting if _is_own(row) == _is_own(worst)]
    here, anywhere = _largest([worst]), _largest(of_a_kind)
    more = "" if here == anywhere else f"; elsewhere {anywhere}"
    return f" ({worst.measured.replace('/', ' of ')}, {here}{more})"


def _sides(case: CaseSummary, worst: Row, drifting: Sequence[Row]) -> str:
    comparison, facts = worst.finding.comparison, AXES[worst.finding.comparison.axis]
    named = {
        "baseline": worst.baseline,
        "candidate": worst.candidate,
        "op": comparison.candidate.op,
    }
    if facts.value is not None:
        against = [row.finding.comparison for row in drifting]
        same = [one for one in against if one.baseline == comparison.baseline]
        values = sorted({facts.value(one.candidate) for one in same})
        noun, verb = ONE_OR_MANY[comparison.axis][len(values) > 1]
        named |= {"values": f"{noun} {short(values)}", "verb": verb}
        named |= {"value": str(facts.value(comparison.baseline))}
    if comparison.axis == "baseline":
        return _since(case, worst, drifting)
    if facts.between_runtimes:
        named = {side: called(case, name) for side, name in named.items()}
        return facts.brief.format(**named) + _at_lengths(case, worst, drifting)
    return facts.brief.format(**named) + _in_runtime(case, worst)


def _in_runtime(case: CaseSummary, worst: Row) -> str:
    """Say in which runtime bits drift, where there are others and both sides are of one."""
    cell, runtimes = worst.finding.comparison.candidate, case.result.runtimes
    if len(runtimes) < 2 or cell.runtime not in runtimes:
        return ""
    return f" in {called(case, sentences.number(cell, case.result))}"


def _since(case: CaseSummary, worst: Row, drifting: Sequence[Row]) -> str:
    """Say which version gives other bits than which recording, and at which lengths."""
    comparison, now = worst.finding.comparison, _product(case, worst.finding.comparison.candidate)
    was, origin = _product(case, comparison.baseline), comparison.baseline.runtime.origin
    other = comparison.candidate.runtime.origin
    candidate = f"{now} ({other})" if now and other else other or now
    baseline = f"{was} ({origin})" if was and origin != was else origin
    where = _at_lengths(case, worst, drifting)
    return f"{candidate or 'now'} gives other bits than {baseline}{where}"


def _at_lengths(case: CaseSummary, worst: Row, drifting: Sequence[Row]) -> str:
    """Say at which lengths bits drift, where there are several, and which one is told of."""
    if len(case.result.case.lengths) < 2:
        return ""
    lengths = sorted({row.finding.comparison.candidate.length for row in drifting})
    if len(lengths) == 1:
        return f" at length {lengths[0]}"
    told_of = worst.finding.comparison.candidate.length
    return f" at lengths {short(lengths)}, at {told_of}"


def _product(case: CaseSummary, cell: Cell) -> str:
    """Return the framework and version of a cell's runtime, where it is one of the case's."""
    named = {runtime.id: runtime.product for runtime in case.runtimes if runtime.available}
    return named.get(cell.runtime.id, "")
