"""The short report's lines: why, the orders, who is right, what agrees, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.axes import AXES, Axis
from convdiff.case.words import few, given, short
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.plan.cell import Cell
from convdiff.report import sentences
from convdiff.report.brief_answer import (
    by_standing,
    other_drifts,
    told,
    worst_allowed,
)
from convdiff.report.brief_names import called, side_names
from convdiff.report.brief_proof import proof_lines
from convdiff.report.groups import Row
from convdiff.report.marks import Line, line, verdict_span
from convdiff.report.rules import rule_names
from convdiff.report.summary import CaseSummary, accept_line

ORDERS, FEWER = 3, 2
"""Orders that are written out of a case that is the only one, and of one among others."""
RENEW = "the new bits are right from now on: --update-baseline"


def lines_without_drift(case: CaseSummary) -> Iterator[Line]:
    """Yield what a case has to say that did not drift: why it is untested, what is unsafe."""
    yield from case.failures
    if case.result.outcome != "ok" and not case.failures:
        for reason in dict.fromkeys(f"{one.missing}: {one.reason}" for one in case.absent):
            yield line("  why", reason)
    if case.result.outcome == "untested" and case.absent:
        yield line("  fix", "what can be tested here: convdiff doctor")
    for one in case.advice.safe:
        if one.some_unsafe and one.number:
            yield line("  safe", f"in {called(case, f'#{one.number}')}: {one.text}")
        elif one.some_unsafe:
            yield line("  safe", one.text)


def allowed_lines(case: CaseSummary) -> Iterator[Line]:
    """Yield what `expect` allows, the worst along each axis, with its proof."""
    for axis, row in worst_allowed(case).items():
        baseline, candidate = side_names(case, row)
        sizes = f"{row.measured.replace('/', ' of ')}, ≤ {row.ulp} ulp"
        text = f"{axis}: {candidate} against {baseline}: "
        yield line("allowed", text, verdict_span(row.verdict), f" ({sizes})")
        yield from proof_lines(case, row, FEWER, whole=False)


def drift_lines(case: CaseSummary, row: Row, *, alone: bool) -> Iterator[Line]:
    """Yield why, the orders, who is right, what agrees, what to do, how to accept and go on."""
    others = other_drifts(case, row)
    most = ORDERS if alone else FEWER - len(others[:1])
    yield from proof_lines(case, row, most, whole=alone)
    yield from _also(case, others, alone=alone)
    agreeing = "; ".join(_agreeing(case, row))
    if agreeing:
        yield line("  ok", agreeing)
    yield from case.failures
    yield from _to_do(case, alone=alone)
    if alone:
        yield line("  more", " · ".join(_more(row)))
    if alone and case.explain:
        yield line("  draw", case.explain)


def _also(case: CaseSummary, others: Sequence[Row], *, alone: bool) -> Iterator[Line]:
    """Yield what drifts along other axes, each with its proof; of one case of many in one line."""
    if others and not alone:
        yield line("  also", "; ".join(told(case, one) for one in others))
        return
    for one in others:
        yield line("  also", told(case, one))
        yield from proof_lines(case, one, FEWER, whole=False)


def _more(row: Row) -> Iterator[str]:
    """Yield what says more: an option of the command that is to be repeated, and commands."""
    yield "-v: every comparison"
    yield f"convdiff rule {rule_names(row.finding)[0]}"
    if row.finding.why is not None and row.finding.why.orders:
        yield "convdiff rule notation"


def _agreeing(case: CaseSummary, worst: Row) -> Iterator[str]:
    """Say what does not drift: along the drifting axis by value, along others in a phrase."""
    axis = worst.axis
    compared = [row for row in case.rows if not VERDICTS[row.verdict].proves_nothing]
    if AXES[axis].value is not None:
        yield from _agreeing_along(case, worst, compared)
    drifting = {row.axis for row in compared if row.drifts}
    yield from by_standing([row for row in compared if row.axis not in drifting])


def _agreeing_along(case: CaseSummary, worst: Row, compared: Sequence[Row]) -> Iterator[str]:
    """Say which values along the drifting axis give the same bits, and where all of them do."""
    axis, value = worst.axis, AXES[worst.axis].value
    if value is not None and not _is_wrong(case, worst.comparison.baseline):
        along = [row for row in compared if _is_along(row, worst)]
        unequal = [row for row in along if row.differs or row.drifts]
        values = {value(row.comparison.candidate) for row in along}
        values -= {value(row.comparison.candidate) for row in unequal}
        against = f"{axis} {value(worst.comparison.baseline) or 'all'}"
        unsafe: frozenset[int] = frozenset()
        if axis == "length":
            unsafe = _unsafe(case, worst)
        yield from _equal(axis, sorted(values), against, unsafe)
    yield from _unaffected(case, axis, compared)


def _is_wrong(case: CaseSummary, cell: Cell) -> bool:
    """Return whether a cell's own output is wrong: to have its bits is not ok."""
    own = [row for row in case.rows if row.axis == "exact" and row.comparison.candidate == cell]
    return any(row.verdict == "wrong" for row in own)


def _unsafe(case: CaseSummary, row: Row) -> frozenset[int]:
    """Return the lengths that are unsafe in the runtime of a row."""
    runtime = row.comparison.candidate.runtime.id
    own = [one.unsafe for one in case.result.safe_lengths if one.runtime == runtime]
    return frozenset().union(*own)


def _equal(
    axis: Axis, values: Sequence[int], against: str, unsafe: frozenset[int]
) -> Iterator[str]:
    """Say which values give the same bits, and which do so by chance, on the case's input alone."""
    chance = [value for value in values if value in unsafe]
    always = [value for value in values if value not in chance]
    if always:
        yield f"{axis} {short(always)} = {against}"
    if chance:
        yield f"{axis} {short(chance)} = {against} on this input alone"


def _unaffected(case: CaseSummary, axis: Axis, compared: Sequence[Row]) -> Iterator[str]:
    """Name the runtimes where nothing differs along an axis, though in another one it does."""
    differs: dict[str, bool] = {}
    for row in compared:
        if row.axis == axis:
            number = sentences.number(row.comparison.candidate, case.result)
            differs[number] = differs.get(number, False) or row.differs
    equal = [called(case, number) for number, one in differs.items() if not one]
    if equal and len(case.result.runtimes) > 1:
        yield f"no {axis} differs in {few(equal)}"


def _is_along(row: Row, worst: Row) -> bool:
    """Return whether a row compares along the worst one's axis in the same runtime."""
    one, other = row.comparison, worst.comparison
    return one.axis == other.axis and one.candidate.runtime == other.candidate.runtime


def _to_do(case: CaseSummary, *, alone: bool) -> Iterator[Line]:
    """Yield which lengths are safe, what tries the rest, and what to write to accept it."""
    advice, result = case.advice, case.result.case
    fixes = list(_padding(case))
    if not alone:
        del fixes[1:]
    for fix in fixes:
        yield line("  fix", fix)
    if advice.search:
        yield line("  try", f"convdiff cure{advice.search}")
        if alone:
            yield line("  report", f"convdiff shrink{advice.search}")
    if advice.expect:
        location = None
        if not result.built_in:
            location = result.places.get(f"expect.{next(iter(advice.expect))}")
        yield accept_line(advice.expect, location)
    if alone and is_renewable(case):
        yield line("  renew", RENEW)


def is_renewable(case: CaseSummary) -> bool:
    """Return whether nothing but rounding against `--baseline` drifts, which may be renewed."""
    kinds = {(row.axis, row.verdict) for row in case.drifted}
    return " --baseline " in case.again and kinds == {("baseline", "rounding")}


def _padding(case: CaseSummary) -> Iterator[str]:
    """Yield to which lengths to pad, in each runtime where the length drifts, and what stays."""
    drifting = by_axis(case.drifted)
    along = drifting.pop("length", [])
    where = {row.comparison.candidate.runtime.id for row in along}
    others = [AXES[axis].noun for axis in drifting]
    stays = given(" or ".join(others), "; no help against {}")
    named = len(where) > 1 or _are_unlike(case.result.safe_lengths)
    pairs = zip(case.advice.safe, case.result.advised_lengths, strict=True)
    for advised, lengths in pairs:
        if lengths.unsafe and lengths.runtime in where:
            runtime = f"in {called(case, f'#{advised.number}')} "
            yield f"{runtime * named}pad to {sentences.pad_to(lengths)}{stays}"


def _are_unlike(lengths: Sequence[SafeLengths]) -> bool:
    """Return whether runtimes have other safe lengths than each other."""
    return len({(one.lengths, one.unsafe, one.rule) for one in lengths}) > 1
