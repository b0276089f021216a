"""`convdiff run` on the console."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.case.words import given, one_or_many, plural
from convdiff.report import sentences
from convdiff.report.console.grid import print_grid
from convdiff.report.console.parts import (
    print_again,
    print_detail,
    print_failures,
    print_headline,
    print_missing,
    print_runtimes,
    print_summary,
    print_what_to_do,
)
from convdiff.report.console.style import ruling, width_of
from convdiff.report.console.trace import print_nets
from convdiff.report.detail import detail_of
from convdiff.report.groups import (
    Group,
    beside_grid,
    first,
    folded,
    gravest,
    has_detail,
    one_usual,
    others,
    stories,
    unusual,
)
from convdiff.report.numbers import decimal
from convdiff.report.runtime_orders import sizes_below
from convdiff.report.summary import CaseSummary, Summary

DETAILS = 4
"""Differing comparisons that are shown element by element, unless all are asked for."""
ROWS = 16
COMPARED = 12
"""Columns in which the names of what is compared may be wrapped."""


def print_run(console: Console, summary: Summary, *, show_all: bool) -> None:
    """Print each case: headline, runtimes, outputs, comparisons, elements, why, what to do."""
    print_missing(console, summary)
    for case in summary.cases:
        print_headline(console, case)
        print_runtimes(console, case)
        if case.result.agreement is not None:
            sizes = sizes_below(case.result, case.result.agreement, orders=False)
            print_grid(console, case.result.agreement, sizes)
        if show_all or len(case.result.outputs) <= ROWS:
            _outputs(console, case)
        _comparisons(console, case, show_all=show_all)
        _details(console, case, show_all=show_all)
        print_failures(console, case)
        print_what_to_do(console, case)
        print_again(console, case)
    print_nets(console, summary.nets, quiet=False)
    print_summary(console, summary)


def _outputs(console: Console, case: CaseSummary) -> None:
    """Print small outputs whole: y(T) of each runtime."""
    many = len(case.result.runtimes) > 1
    for cell, output in case.result.outputs.items():
        name = cell.op if cell.is_reference else "y"
        at = str(cell.length)
        if len(case.result.case.batches) > 1:
            at += f", batch {cell.batch}"
        text = f"{name}({at}) = {', '.join(map(decimal, output.ravel()))}"
        if many:
            text = f"{sentences.number(cell, case.result)} {text}"
        console.print(Text(text))
    if case.result.outputs:
        console.print()


def _comparisons(console: Console, case: CaseSummary, *, show_all: bool) -> None:
    rows = case.rows if show_all else one_usual(case.rows)
    if case.result.agreement is not None and not show_all:
        rows = tuple(filter(beside_grid, rows))
    groups = gravest(folded(case.result, rows), None if show_all else ROWS)
    if groups.shown:
        _print_groups(console, groups.shown)
    if groups.left:
        left = plural(groups.left, "more comparison")
        console.print(f"… and {left}; -vv shows them")
    console.print()


def _print_groups(console: Console, groups: Sequence[Group]) -> None:
    """Print a line a group; two on a console so narrow that numbers would be cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("axis", no_wrap=True)
    table.add_column("compared")
    for name in ("differ", "Δ", "ulp"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for group in groups:
        row, compared = group[0], Text(_compared(group))
        table.add_row(row.axis, compared, _measured(group), row.delta, row.ulp, ruling(row.ruling))
    spare = max(len(_compared(group)) for group in groups) - COMPARED
    if width_of(console, table) - max(0, spare) <= console.width:
        console.print(table)
        return
    for group in groups:
        row = group[0]
        console.print(Text.assemble((row.axis, "bold"), " ", _compared(group)))
        numbers = (_measured(group), row.delta, given(row.ulp, "{} ulp"))
        beside = "  ".join(filter(None, numbers))
        console.print(Text.assemble(f"  {beside}  ", ruling(row.ruling)))


def _compared(group: Group) -> str:
    if len(group) == 1:
        return group[0].name
    return f"{group[0].name} … {len(group)} in all"


def _measured(group: Group) -> str:
    if len(group) == 1:
        return group[0].measured
    return "0"


def _details(console: Console, case: CaseSummary, *, show_all: bool) -> None:
    """Print what differs element by element, what drifted first; the same story is told once."""
    rows = case.rows if show_all else unusual(case.rows)
    groups = stories(filter(has_detail, rows))
    if show_all:
        groups = [(row,) for row in chain.from_iterable(groups)]
    some = first(groups, None if show_all else DETAILS)
    for group in some.shown:
        print_detail(console, detail_of(case.result, group[0]))
        if len(group) > 1:
            console.print(f"the same orders and cause at {others(group)}\n")
    left = sum(map(len, groups[len(some.shown) :]))
    if left:
        differ = one_or_many(left, "differs", "differ")
        more = plural(left, "more comparison")
        console.print(f"… and {more} {differ}; -vv shows their elements\n")
