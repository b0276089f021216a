"""The answer on one screen: what drifted, where, why, who is right, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report import sentences
from convdiff.report.brief_answer import drift, standing, standing_of_axes
from convdiff.report.brief_lines import allowed_lines, drift_lines, lines_without_drift
from convdiff.report.brief_names import runtime_parts, side_names
from convdiff.report.elements import WIDEST, Element, elements_of
from convdiff.report.groups import Row
from convdiff.report.marks import Grid, Line, Span
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
    row = case.drifting
    again = case.again if case.is_repeated and case.result.outcome != "ok" else ""
    if row is None:
        texts = tuple(lines_without_drift(case))
        texts += tuple(allowed_lines(case)) if alone and case.explained else ()
        return Brief(
            OUTCOMES[case.result.outcome],
            case.name,
            standing(case),
            tuple(_beside(case)),
            None,
            texts,
            again,
            standing_of_axes(case),
        )
    return Brief(
        f"{OUTCOMES[case.result.outcome]}[{row.finding.verdict}]",
        case.name,
        drift(case, row),
        tuple(runtime_parts(case, reasons=alone)),
        _elements(case, row, ALONE if alone else AMONG),
        tuple(drift_lines(case, row, alone=alone)),
        again,
    )


def ending(summary: Summary) -> str:
    """Say how the cases ended, the exit code, and what the cases that are OK were not tested on."""
    cases = _counted("case", [case.result.outcome for case in summary.cases])
    nets = _counted("net", [net.result.outcome for net in summary.nets])
    ended = "; ".join(filter(None, (cases, nets))) or "0 cases"
    if summary.result.unbegun:
        ended += f"; {summary.result.unbegun:,} not begun"
    required = {one.runtime.id for one in summary.result.missing_required}
    left = sentences.few([one for one in _absent(summary) if one not in required])
    untested = f"; untested: {left}" if left else ""
    return f"{ended} (exit {summary.result.exit_code}){untested}"


def _counted(noun: str, outcomes: Sequence[str]) -> str:
    """Say how some ended; "" where there are none."""
    if not outcomes:
        return ""
    counts = (f"{outcomes.count(kind)} {kind}" for kind in dict.fromkeys(outcomes))
    return f"{sentences.plural(len(outcomes), noun)}: {', '.join(counts)}"


def _absent(summary: Summary) -> Mapping[str, None]:
    """Return the runtimes that cases which are OK ask for and that are not there."""
    fine = [case.runtimes for case in summary.cases if case.result.outcome == "ok"]
    return dict.fromkeys(one.id for one in chain.from_iterable(fine) if not one.available)


def _beside(case: CaseSummary) -> Iterator[str]:
    """Yield what runs of a case that did not drift; what is absent is said elsewhere."""
    there = tuple(runtime for runtime in case.runtimes if runtime.available)
    yield from runtime_parts(replace(case, runtimes=there), reasons=False)


def _elements(case: CaseSummary, row: Row, most: int) -> Grid | None:
    """Return the worst elements, by the indices that tell them apart."""
    tone = VERDICTS[row.finding.verdict].tone
    order = case.result.case.output_order
    elements = elements_of(row.finding.comparison, order, most, tone)
    if not elements:
        return None
    baseline, candidate = side_names(case, row)
    varying, label = _varying([one.index.split(",") for one in elements], order.letters.split(","))
    columns: list[tuple[str, list[Span]]] = [
        (label, [Span(index) for index in varying]),
        ("exact", [Span(element.exact, "faint") for element in elements]),
        (baseline, [Span(element.baseline) for element in elements]),
        (candidate, [Span(element.candidate, tone) for element in elements]),
        ("ulp", [Span(_ulp(element), tone) for element in elements]),
    ]
    wide = sum(max(len(name), *(len(span.text) for span in spans)) + 2 for name, spans in columns)
    if wide > WIDEST or row.finding.comparison.baseline.is_exact:
        del columns[1]  # rather than a digit of the others, or to say it twice
    names, values = zip(*columns, strict=True)
    return Grid(names, tuple(zip(*values, strict=True)))


def _ulp(element: Element) -> str:
    """Return an element's ulps; there are none between a number and what is none."""
    finite = all(math.isfinite(float(one)) for one in (element.baseline, element.candidate))
    return element.ulp if finite else "—"


def _varying(indices: Sequence[Sequence[str]], letters: Sequence[str]) -> tuple[list[str], str]:
    """Return each index reduced to the axes along which it is not 0, and what those are called.

    letters: what the numbers of an index are.
    """
    columns, length = list(zip(*indices, strict=True)), letters.index("w")
    axes = [axis for axis, column in enumerate(columns) if set(column) != {"0"}] or [length]
    label = "position" if axes == [length] else ",".join(letters[a] for a in axes)
    return [",".join(index[a] for a in axes) for index in indices], label
