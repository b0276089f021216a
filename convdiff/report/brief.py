"""The answer on one screen: what drifted, where, why, who is right, and what to do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convdiff.case.words import few, given, plural
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.brief_answer import drift, standing, standing_of_axes
from convdiff.report.brief_lines import allowed_lines, drift_lines, lines_without_drift
from convdiff.report.brief_names import runtime_part, runtime_parts, side_names
from convdiff.report.elements import WIDEST, Element, elements_of
from convdiff.report.groups import Row
from convdiff.report.marks import Grid, Line, Span
from convdiff.report.net_summary import TraceSummary
from convdiff.report.summary import OUTCOMES, CaseSummary, Summary

ALONE, AMONG = 5, 2
"""Elements of a case that is the only one, and of one among others."""


@dataclass(frozen=True)
class Brief:
    """What is said of a case by default."""

    word: str
    """OK, DRIFT[rounding], UNTESTED, …"""
    name: str
    sentence: str
    runtimes: tuple[str, ...]
    """What runs, a phrase a runtime; last what is absent, or where there is more to read."""
    elements: Grid | None
    lines: tuple[Line, ...]
    again: str
    """The command that repeats it; "" where there is nothing to repeat."""
    kept: str = ""
    """The beginning of the sentence that is never cut."""


def brief_of(case: CaseSummary, *, alone: bool) -> Brief:
    """Return what is said of a case; `alone` where it has the screen for itself."""
    row, word = case.drifting, OUTCOMES[case.result.outcome]
    again = ""
    if case.is_repeated and case.result.outcome != "ok":
        again = case.again
    if row is None:
        texts = list(lines_without_drift(case))
        if alone and case.explained:
            texts += allowed_lines(case)
        return Brief(
            word,
            case.name,
            standing(case),
            tuple(map(runtime_part, case.present)),
            None,
            tuple(texts),
            again,
            standing_of_axes(case),
        )
    return Brief(
        f"{word}[{row.verdict}]",
        case.name,
        drift(case, row),
        tuple(runtime_parts(case, reasons=alone)),
        _elements(case, row, ALONE if alone else AMONG),
        tuple(drift_lines(case, row, alone=alone)),
        again,
    )


def ending(summary: Summary) -> str:
    """Say how the cases ended, the exit code, and what the cases that are OK were not tested on."""
    parts = [*_counted("case", summary.cases), *_counted("net", summary.nets)] or ["0 cases"]
    if summary.result.unbegun:
        parts.append(f"{summary.result.unbegun:,} not begun")
    untested = given(few(_absent(summary)), "; untested: {}")
    return f"{'; '.join(parts)} (exit {summary.result.exit_code}){untested}"


def _counted(noun: str, subjects: Sequence[CaseSummary | TraceSummary]) -> Iterator[str]:
    """Yield how some ended; nothing where there are none."""
    kinds = Counter(one.result.outcome for one in subjects)
    if kinds:
        counts = [f"{count} {kind}" for kind, count in kinds.items()]
        yield f"{plural(len(subjects), noun)}: {', '.join(counts)}"


def _absent(summary: Summary) -> list[str]:
    """Return the runtimes that cases which are OK ask for and that are not there.

    Those that are required are told elsewhere.
    """
    required = {one.runtime.id for one in summary.result.missing_required}
    absent: dict[str, None] = {}
    for case in summary.cases:
        if case.result.outcome == "ok":
            absent |= dict.fromkeys(one.id for one in case.absent)
    return [name for name in absent if name not in required]


def _elements(case: CaseSummary, row: Row, most: int) -> Grid | None:
    """Return the worst elements, by the indices that tell them apart."""
    tone = VERDICTS[row.verdict].tone
    order = case.result.case.output_order
    elements = elements_of(row.comparison, order, most, tone)
    if not elements:
        return None
    indices, label = _varying([one.index.split(",") for one in elements], order.letters.split(","))
    rows = []
    for index, one in zip(indices, elements, strict=True):
        exact, ulp = Span(one.exact, "faint"), Span(_ulp(one), tone)
        rows.append((Span(index), exact, Span(one.baseline), Span(one.candidate, tone), ulp))
    grid = Grid((label, "exact", *side_names(case, row), "ulp"), tuple(rows))
    if grid.width > WIDEST or row.comparison.baseline.is_exact:
        return grid.without(1)  # rather than a digit of the others, or to say it twice
    return grid


def _ulp(element: Element) -> str:
    """Return an element's ulps; there are none between a number and what is none."""
    finite = math.isfinite(float(element.baseline)) and math.isfinite(float(element.candidate))
    return element.ulp if finite else "—"


def _varying(indices: Sequence[Sequence[str]], letters: Sequence[str]) -> tuple[list[str], str]:
    """Return each index reduced to the axes along which it is not 0, and what those are called.

    letters: what the numbers of an index are.
    """
    columns, length = list(zip(*indices, strict=True)), letters.index("w")
    axes = [axis for axis, column in enumerate(columns) if set(column) != {"0"}] or [length]
    named = [",".join(row[axis] for axis in axes) for row in (letters, *indices)]
    if axes == [length]:
        named[0] = "position"
    return named[1:], named[0]
