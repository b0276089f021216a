"""`convdiff sweep` on the console: a row a value, a heat strip, safe lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from convdiff.case.axes import AXES, Axis
from convdiff.case.words import given
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report import sentences
from convdiff.report.brief import brief_of
from convdiff.report.brief_names import runtime_parts
from convdiff.report.console import parts, style
from convdiff.report.console.brief import (
    print_answer,
    print_ending,
    print_runtimes,
    print_why,
)
from convdiff.report.console.grid import print_grid
from convdiff.report.console.parts import (
    print_again,
    print_detail,
    print_failures,
    print_headline,
    print_missing,
    print_summary,
    print_what_to_do,
)
from convdiff.report.detail import detail_of
from convdiff.report.exactly import is_usual
from convdiff.report.groups import Row, first
from convdiff.report.marks import verdict_span
from convdiff.report.numbers import count
from convdiff.report.runtime_orders import sizes_below
from convdiff.report.summary import CaseSummary, Summary
from convdiff.report.sweep_rows import (
    SweepRow,
    against,
    reference_line,
    sweep_rows,
    ulps_along,
)

ROWS = 40
"""Rows a table, unless all are asked for."""
STRIP = 28
"""Characters of a heat strip; a longer output has several positions in one."""
SHORTEST = 8
"""Columns that a strip needs; a narrow console has none, but always the verdict and the count."""


def print_sweep(console: Console, summary: Summary, *, show_all: bool) -> None:
    """Print each case: headline, runtimes, a table an axis, details of the worst, what to do."""
    print_missing(console, summary)
    for case in summary.cases:
        print_headline(console, case)
        parts.print_runtimes(console, case)
        _axes(console, case, show=partial(_whole, show_all=show_all))
        if case.drifting is not None:
            print_detail(console, detail_of(case.result, case.drifting))
        print_failures(console, case)
        print_what_to_do(console, case, all_safe=True)
        print_again(console, case)
    print_summary(console, summary)


def print_brief_sweep(console: Console, summary: Summary) -> None:
    """Print each case in short: the answer, a table an axis, why, what to do."""
    print_missing(console, summary)
    for number, case in enumerate(summary.cases):
        brief = replace(brief_of(case, alone=True), elements=None)
        if case.drifting is not None:
            brief = replace(brief, runtimes=tuple(runtime_parts(case, reasons=False)))
        print_answer(console, case, brief, summary.unnamed if number == 0 else "")
        print_runtimes(console, brief, cut=False)
        _axes(console, _without_sums(case), show=_in_short)
        print_why(console, brief, cut=False)
    print_ending(console, summary)


def _axes(console: Console, case: CaseSummary, *, show: Show) -> None:
    """Print the square of all pairs, where there is one, and the axes that it does not show.

    show: prints the rows of an axis.
    """
    axes = by_axis(case.rows)
    squared = case.result.agreement is not None
    if case.result.agreement is not None:
        sizes = sizes_below(case.result, case.result.agreement, orders=False)
        print_grid(console, case.result.agreement, sizes)
    for axis, rows in axes.items():
        if _is_summed_up(axis, rows):
            _summed_up(console, case, axis, rows)
        else:
            show(console, case, rows, squared=squared and AXES[axis].between_runtimes)
    if case.rows and _is_summed_up(*list(axes.items())[-1]):
        console.print()


def _is_summed_up(axis: Axis, rows: Sequence[Row]) -> bool:
    """Return whether an axis has a line, and no table."""
    return axis == "reference" or all(is_usual(row.finding) for row in rows)


def _without_sums(case: CaseSummary) -> CaseSummary:
    """Leave out what is as expected and would be summed up: the answer says it in a phrase."""
    summed = {"reference", "exact"} - by_axis(case.drifted).keys()
    return replace(case, rows=tuple(row for row in case.rows if row.axis not in summed))


class Show(Protocol):
    """How the rows of an axis are printed."""

    def __call__(
        self, console: Console, case: CaseSummary, rows: Sequence[Row], *, squared: bool
    ) -> None:
        """Print them; squared: they are in the square of all pairs."""


def _whole(
    console: Console, case: CaseSummary, rows: Sequence[Row], *, squared: bool, show_all: bool
) -> None:
    if show_all or not squared:
        _table(console, case, rows, show_all=show_all)


def _in_short(console: Console, case: CaseSummary, rows: Sequence[Row], *, squared: bool) -> None:
    """Print a row a value, and what is expected of convdiff's own sums in a line."""
    if squared:
        return
    own = [row for row in rows if _is_aside(row)]
    others = [row for row in rows if not _is_aside(row)]
    _table(console, case, others or rows, show_all=False)
    if own and others:
        _summed_up(console, case, rows[0].axis, own, ", of multiply + reduce_sum itself")


def _is_aside(row: Row) -> bool:
    """Return whether a row compares convdiff's own sums, and is expected."""
    return row.is_opinion and not row.drifts


def _table(console: Console, case: CaseSummary, rows: Sequence[Row], *, show_all: bool) -> None:
    console.print(Text.assemble((rows[0].axis, "bold"), f", {against(rows)}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for justify in ("left", "left", "right", "right"):
        table.add_column(justify=justify, no_wrap=bool(table.columns))  # a label may wrap
    some = first(sweep_rows(case.result, rows), None if show_all else ROWS)
    for one in some.shown:
        table.add_row(Text(one.label), style.ruling(one.row.ruling), one.measured, one.ulp)
    room = min(STRIP, console.width - style.width_of(console, table) - 2)
    if room >= SHORTEST:
        _add_strips(table, some.shown, room)
    console.print(table)
    widest = max(len(ulps_along(row)) for row in rows)
    if widest > room >= SHORTEST:
        positions = -(-widest // room)
        console.print(Text(f"a character stands for up to {positions} output positions", "dim"))
    if some.left:
        console.print(f"… and {some.left:,} more rows; -vv shows them")
    console.print()


def _add_strips(table: Table, rows: Sequence[SweepRow], width: int) -> None:
    """Draw beside each row where its outputs differ."""
    strips = []
    for row in rows:
        tone = VERDICTS[row.row.verdict].tone
        strips.append(style.heat(row.columns, width, tone))
    table.columns.append(Column(no_wrap=True, _index=len(table.columns), _cells=[*strips]))


def _summed_up(
    console: Console, case: CaseSummary, axis: Axis, rows: Sequence[Row], name: str = ""
) -> None:
    """Sum up in a line what is compared with multiply + reduce_sum, or with the exact result.

    name: what is said after the axis, where that is not against its noun.
    """
    against = f", against {AXES[axis].noun}"
    reference, lengths = reference_line(rows), len(case.result.case.lengths)
    line = Text.assemble((axis, "bold"), f"{name or against}: ")
    parts = []
    for verdict, how_many in reference.verdicts.items():
        parts.append(Text.assemble(f"{how_many:,} ", style.coloured([verdict_span(verdict)])))
    line.append(Text(", ").join(parts))
    if reference.max_ulp:
        line.append(f"; at most {count(reference.max_ulp)} ulp")
    if reference.lengths < lengths:
        line.append(f" (at {reference.lengths:,} of {lengths:,} lengths)")
    line.append(given(sentences.sampled(rows[0].comparison), " ({})"))
    console.print(line)
