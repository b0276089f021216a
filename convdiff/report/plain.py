"""Details, failures and advice as plain text, for reports that other programs show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from convdiff.report.detail import Detail
from convdiff.report.elements import element_grid
from convdiff.report.marks import Grid, Line
from convdiff.report.net_summary import TraceSummary
from convdiff.report.summary import CaseSummary, advice_lines

WIDTH = 100
"""Characters in a line."""
ELEMENTS = 10
"""Worst elements of a comparison; --all finds more, for the console and the JSON report."""
GAP = "  "


def detail_text(detail: Detail) -> str:
    """Return a comparison's worst elements, why they differ, the orders, which side is right."""
    lines = [f"{detail.title}  {detail.row.where}"]
    if detail.elements:
        lines += _grid(element_grid(detail.elements, detail.row.names))
    if detail.left:
        lines.append(f"  … and {detail.left:,} more elements differ; --all shows them")
    return _text([*lines, *_hanging(detail.lines)])


def failures_text(case: CaseSummary) -> str:
    """Return each reason for missing bits once, with the cells it cost."""
    return _text(_hanging(case.failures))


def advice_text(case: CaseSummary) -> str:
    """Return safe lengths, what searches for more, and the suggested expectation."""
    return _text(_hanging(list(advice_lines(case.advice, all_safe=False))))


def trace_text(net: TraceSummary) -> str:
    """Return a net's pairs, the layers of the one that is shown, and why they differ."""
    lines = [] if net.pairs is None else _grid(net.pairs)
    if net.layers is not None:
        lines += [f"{net.shown}:", *_grid(net.layers)]
    return _text([*lines, *_hanging(net.lines)])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows, the first column to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        aligned = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append(GAP.join([first.ljust(widths[0]), *aligned]).rstrip())
    return lines


def _grid(grid: Grid) -> list[str]:
    return columns([grid.header, *grid.texts])


def _hanging(lines: Sequence[Line]) -> Iterator[str]:
    """Yield labels with what is said beside them, wrapped, its lines under each other."""
    left = max((len(line.label.text) for line in lines), default=0)
    for line in lines:
        label = line.label.text
        for text in _wrapped(line.text, WIDTH - left - len(GAP)):
            yield f"{label:<{left}}{GAP}{text}"
            label = ""


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Yield lines of whole words; a word that is longer than a line starts one and is cut."""
    for paragraph in text.split("\n"):
        begun = ""
        for word in re.findall(r"\s*\S+\s*", paragraph):
            if len(begun) + len(word.rstrip()) > width and (begun or len(word.rstrip()) > width):
                if begun:
                    yield begun
                begun = word
                while len(begun.rstrip()) > width:
                    yield begun[:width]
                    begun = begun[width:]
            else:
                begun += word
        yield begun


def _text(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")
