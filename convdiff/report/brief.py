"""The answer on one screen: what drifted, where, why, who is right, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.brief_answer import drift, full, standing
from convdiff.report.brief_lines import drift_lines, lines_without_drift
from convdiff.report.elements import WIDEST, elements_of
from convdiff.report.groups import Row
from convdiff.report.marks import Grid, Line, Span
from convdiff.report.summary import OUTCOMES, CaseSummary

ALONE, AMONG = 5, 3
"""Elements of a case that is the only one, and of one among others."""


@dataclass(frozen=True)
class Brief:
    """What is said of a case by default."""

    word: str
    """OK, DRIFT[rounding], UNTESTED, …"""
    name: str
    sentence: str
    runtimes: str
    elements: Grid | None
    lines: tuple[Line, ...]
    again: str
    """The command that repeats it; "" where there is nothing to repeat."""


def brief_of(case: CaseSummary, *, alone: bool) -> Brief:
    """Return what is said of a case; `alone` where it has the screen for itself."""
    row = case.drifting
    again = case.again if case.is_repeated and case.result.outcome != "ok" else ""
    if row is None:
        said = tuple(lines_without_drift(case))
        return Brief(
            OUTCOMES[case.result.outcome],
            case.name,
            standing(case),
            _runtimes(case),
            None,
            said,
            again,
        )
    return Brief(
        f"{OUTCOMES[case.result.outcome]}[{row.finding.verdict}]",
        case.name,
        drift(case, row),
        _runtimes(case),
        _elements(row, ALONE if alone else AMONG),
        tuple(drift_lines(case, row, alone=alone)),
        again,
    )


def _runtimes(case: CaseSummary) -> str:
    there = [_runtime(one.name, one.text) for one in case.runtimes if one.available]
    absent = [f"{one.id} untested: {one.reason}" for one in case.runtimes if not one.available]
    return " · ".join(there) + (f"  ({', '.join(absent)})" if absent else "")


def _runtime(name: str, text: str) -> str:
    """Say what runs, in one phrase: a runtime, its version and its threads."""
    version, *rest = text.split(", ")
    threads = [part for part in rest if part.endswith(("thread", "threads"))]
    return ", ".join([f"{name} {version.partition(' ')[2]}", *threads])


def _elements(row: Row, most: int) -> Grid | None:
    """Return the worst elements, by the indices that tell them apart."""
    tone = VERDICTS[row.finding.verdict].tone
    elements = elements_of(row.finding.comparison, most, tone)
    if not elements:
        return None
    varying, label = _varying([one.index.split(",") for one in elements])
    columns: list[tuple[str, list[Span]]] = [
        (label, [Span(place) for place in varying]),
        ("exact", [Span(one.exact, "faint") for one in elements]),
        (full(row.baseline), [Span(one.baseline) for one in elements]),
        (full(row.candidate), [Span(one.candidate, tone) for one in elements]),
        ("ulp", [Span(one.ulp, tone) for one in elements]),
    ]
    wide = sum(max(len(name), *(len(one.text) for one in spans)) + 2 for name, spans in columns)
    if wide > WIDEST or row.finding.comparison.baseline.is_exact:
        del columns[1]  # rather than a digit of the others, or to say it twice
    names, values = zip(*columns, strict=True)
    return Grid(names, tuple(zip(*values, strict=True)))


def _varying(indices: Sequence[Sequence[str]]) -> tuple[list[str], str]:
    """Return each index reduced to the axes that vary, and what those are called."""
    columns = list(zip(*indices, strict=True))
    axes = [axis for axis, column in enumerate(columns) if len(set(column)) > 1] or [2]
    if axes == [2]:
        return [index[2] for index in indices], "position"
    return [",".join(index[a] for a in axes) for index in indices], ",".join(
        "nhwc"[a] for a in axes
    )
