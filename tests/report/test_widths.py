"""No line is wider than the terminal, and no number is cut, from 40 columns to 200."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from made import ENDINGS, FINE, case_of, drifted, result_of, summary_of
from rich.console import Console

from convdiff.report.console import print_brief, print_brief_sweep, print_run, print_sweep
from convdiff.report.summary import Summary

WIDTHS = (40, 60, 80, 120, 200)
SHAPES: dict[str, Callable[[Console, Summary], None]] = {
    "brief": lambda console, summary: print_brief(console, summary, quiet=False),
    "quiet": lambda console, summary: print_brief(console, summary, quiet=True),
    "whole": lambda console, summary: print_run(console, summary, show_all=False),
    "brief sweep": print_brief_sweep,
    "sweep": lambda console, summary: print_sweep(console, summary, show_all=True),
}
RESULTS = {**ENDINGS, **FINE, "wide": result_of(case_of([drifted(1000 + n) for n in range(3)]))}
COPIED = ("  again", "again:", "  accept", "  draw")


def lines(shape: str, name: str, width: int) -> list[str]:
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, color_system=None, highlight=False, emoji=False)
    SHAPES[shape](console, summary_of(RESULTS[name]))
    return [line.rstrip() for line in buffer.getvalue().splitlines()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_line_is_wider_than_the_terminal(shape: str, width: int):
    for name in RESULTS:
        wide = [line for line in lines(shape, name, width) if len(line) > width]
        assert [line for line in wide if not line.startswith(COPIED)] == [], name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_number_is_cut(shape: str, width: int):
    cut = re.compile(r"(?<![\w(+])[-+]?\d+\.\d*…|\d/\d*…")
    for name in RESULTS:
        assert [line for line in lines(shape, name, width) if cut.search(line)] == [], name
