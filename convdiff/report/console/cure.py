"""`convdiff cure` on the console."""

from __future__ import annotations

from rich.console import Console

from convdiff.report.console.lines import print_labelled, print_wrapped
from convdiff.report.console.screen import rendered
from convdiff.report.console.style import coloured, print_grid
from convdiff.report.cure import evidence, grid, headline, paste
from convdiff.search.cure.find import Cured


def render(cured: Cured, run: str, color: str) -> str:
    """Return the text: the answer first, lines to paste last.

    run: the command that runs the case. color: what `rendered` takes.
    """
    return rendered(lambda console: _print(console, cured, run), color)


def _print(console: Console, cured: Cured, run: str) -> None:
    print_wrapped(console, coloured(headline(cured)))
    table = grid(cured)
    if table is not None:
        print_grid(console, table, cuts=True)
    for one in evidence(cured):
        print_labelled(console, one, cut=False)
    for text in paste(cured, run):
        console.print(text, soft_wrap=True, markup=False)
