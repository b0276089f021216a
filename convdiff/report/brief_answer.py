"""The short report's answer: what gives other bits than what, or how each axis stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from convdiff.case.axes import AXES, Axis
from convdiff.case.words import given, plural, short
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.verdict import is_refused
from convdiff.diagnose.verdicts import gravity
from convdiff.plan.cell import Cell
from convdiff.report import sentences
from convdiff.report.brief_names import called, side_names
from convdiff.report.groups import Row, unusual, worst_of
from convdiff.report.headline import FEW_ULPS, differences_of, headline, values_along
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
    there = [row for row in case.rows if row.verdict != "untested"]
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
    return row.verdict in ("same", "rounding") and row.finding.lock != "unproved"


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
    for axis, members in by_axis(unusual(rows) or rows).items():
        ops = [row for row in members if row.differs and not row.is_opinion]
        if ops:
            yield axis, f"{_named(axis, ops)} {_gravest(ops)}, {_largest(ops)}"


def _equal_axes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield which axes are bitwise equal, and how convdiff's own sums differ along them.

    Where nothing but these sums was compared, nothing is said of the convolution.
    """
    equal: list[str] = []
    own: list[Row] = []
    alone: list[str] = []
    for axis, members in by_axis(unusual(rows) or rows).items():
        differing = [row for row in members if row.differs]
        if all(row.is_opinion for row in members):
            alone.append(f"{axis} of multiply + reduce_sum alone: {_how_own(differing)}")
        elif all(row.is_opinion for row in differing):
            equal.append(_named(axis, members))
            own += differing
    if equal and own:
        yield f"{', '.join(equal)} bitwise equal (multiply + reduce_sum: {_how_own(own)})"
    elif equal:
        yield f"{', '.join(equal)} bitwise equal"
    yield from alone


def _how_own(differing: Sequence[Row]) -> str:
    """Say how convdiff's own sums differ."""
    if not differing:
        return "bitwise equal"
    return f"{_gravest(differing)}, {_largest(differing)}"


def _named(axis: Axis, rows: Sequence[Row]) -> str:
    """Return an axis, and at how many outputs a reference was computed where not at all."""
    if axis != "reference":
        return axis
    return axis + given(sentences.sampled(rows[0].comparison), " ({})")


def _gravest(rows: Sequence[Row]) -> str:
    """Say the gravest verdict of some rows: what `expect` puts up with need not be rounding."""
    verdict = max((row.verdict for row in rows), key=gravity)
    if verdict == "rounding":
        return verdict
    return f"{verdict}, as `expect` allows"


def _largest(rows: Sequence[Row]) -> str:
    """Return the largest difference of some rows: ulps, or |Δ| where sums cancel."""
    differences = differences_of([row.finding for row in rows])
    if not differences:
        return "not measured"
    if any(one.appeared for one in differences):
        return "NaN or infinity on one side"
    ulp = max(one.max_ulp for one in differences)
    size = f"≤ {count(ulp)} ulp"
    if ulp > FEW_ULPS:
        size = f"|Δ| ≤ {max(one.max_abs for one in differences):.3g}"
    if ulp > NEAR:
        size += _at_terms(rows)
    return size


def _at_terms(rows: Sequence[Row]) -> str:
    """Return ulps at the size of the terms, where all of it is rounding."""
    if not {row.verdict for row in rows} <= {"same", "rounding"}:
        return ""
    ulps = math.ceil(max(row.comparison.terms_ulp for row in rows))
    return given(ulps, ", {:,} at the terms' size")


def drift(case: CaseSummary, worst: Row) -> str:
    """Say what gives other bits than what, and how many; what it looks like; what else drifts."""
    if _is_told_whole(worst):
        return case.headline
    also = [AXES[row.axis].noun for row in other_drifts(case, worst)]
    return told(case, worst) + given(" and ".join(also), "; also with {}")


def told(case: CaseSummary, worst: Row) -> str:
    """Say what drifts along one axis, of which this is the worst comparison."""
    drifting = by_axis(case.drifted)[worst.axis]
    if _is_told_whole(worst):
        return headline(case.result, [row.finding for row in drifting])
    parts = [_sides(case, worst, drifting), _mistake(case, worst), _size(worst, drifting)]
    if any(row.finding.lock == "changed" for row in drifting):
        parts.append(LOCKED)
    return "".join(parts)


def _mistake(case: CaseSummary, worst: Row) -> str:
    """Say which known mistake it looks like, of which side where that is not the candidate."""
    text = sentences.mistake(worst.finding, side_names(case, worst))
    if text and text == worst.finding.fits:
        return f": {text}"
    return given(text, "; {}")


def other_drifts(case: CaseSummary, worst: Row) -> Sequence[Row]:
    """Return the worst comparison along each other axis that drifts."""
    gravest = [worst_of(rows) for rows in by_axis(case.drifted).values()]
    return [row for row in gravest if row is not None and row.axis != worst.axis]


def worst_allowed(case: CaseSummary) -> Mapping[Axis, Row]:
    """Return the worst of what differs and is allowed along each axis, of convolutions alone."""
    worst: dict[Axis, Row] = {}
    allowed = [row for row in case.rows if row.differs and not row.drifts]
    for axis, rows in by_axis(row for row in allowed if not row.is_opinion).items():
        gravest = worst_of(rows)
        if axis != "exact" and gravest is not None:
            worst[axis] = gravest
    return worst


def _is_told_whole(row: Row) -> bool:
    """Return whether the headline says what no pair of sides does."""
    comparison = row.comparison
    unlike = row.verdict == "same" or comparison.strayed
    return bool(unlike) or comparison.baseline.is_exact


def _size(worst: Row, drifting: Sequence[Row]) -> str:
    """Say how much differs in the worst comparison, and how much in others where that is more."""
    difference = worst.comparison.difference
    if difference is None or not difference.differing:
        return ""
    here = _largest([worst])
    anywhere = _largest([row for row in drifting if row.is_opinion == worst.is_opinion])
    size = f"{worst.measured.replace('/', ' of ')}, {here}"
    if anywhere != here:
        size += f"; elsewhere {anywhere}"
    return f" ({size})"


def _sides(case: CaseSummary, worst: Row, drifting: Sequence[Row]) -> str:
    comparison, facts = worst.comparison, AXES[worst.axis]
    named = {
        "baseline": worst.baseline,
        "candidate": worst.candidate,
        "op": comparison.candidate.op,
    }
    if facts.value is not None:
        values = values_along(worst.finding, [row.finding for row in drifting])
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
    cell, runtimes = worst.comparison.candidate, case.result.runtimes
    if len(runtimes) < 2 or cell.runtime not in runtimes:
        return ""
    return f" in {called(case, sentences.number(cell, case.result))}"


def _since(case: CaseSummary, worst: Row, drifting: Sequence[Row]) -> str:
    """Say which version gives other bits than which recording, and at which lengths."""
    comparison, now = worst.comparison, _product(case, worst.comparison.candidate)
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
    lengths = sorted({row.comparison.candidate.length for row in drifting})
    if len(lengths) == 1:
        return f" at length {lengths[0]}"
    return f" at lengths {short(lengths)}, at {worst.comparison.candidate.length}"


def _product(case: CaseSummary, cell: Cell) -> str:
    """Return the framework and version of a cell's runtime, where it is one of the case's."""
    named = {runtime.id: runtime.product for runtime in case.present}
    return named.get(cell.runtime.id, "")
