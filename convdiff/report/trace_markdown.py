"""A trace in GitHub's Markdown: the answer first, then the layers and the proof."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.report.markdown_text import block, table, text
from convdiff.report.marks import Grid
from convdiff.report.net_summary import TraceSummary

ROWS = 200
"""Rows of a table; more are left out."""


def render(summary: TraceSummary) -> str:
    """Return the report."""
    return "\n".join(_lines(summary)) + "\n"


def section(summary: TraceSummary) -> str:
    """Return all of a net that stands among cases; one that is ok is folded."""
    inside = "\n".join(_inside(summary))
    if summary.result.outcome == "ok":
        name = text(summary.name)
        return f"\n<details><summary>{name}: OK</summary>\n\n{inside}\n</details>\n"
    return f"\n### {text(summary.name)}\n\n{inside}"


def _lines(summary: TraceSummary) -> Iterator[str]:
    yield f"## {text(summary.name)}: {text(summary.word)}\n"
    yield from _inside(summary)


def _inside(summary: TraceSummary) -> Iterator[str]:
    yield f"{text(summary.headline)}\n"
    if summary.pairs is not None:
        yield from _table(summary.pairs)
    if summary.layers is not None:
        yield f"{text(summary.shown)}:\n"
        yield from _table(summary.layers)
    for one in summary.lines:
        yield f"- **{text(one.label.text.strip())}** {text(one.text)}"
    yield ""
    if summary.again:
        yield from ("To repeat it:\n", *block(summary.again, "sh"))
    yield from table(("runtimes",), zip(summary.runtimes))


def _table(grid: Grid) -> Iterator[str]:
    yield from table(grid.header, grid.texts[:ROWS])
    if len(grid.rows) > ROWS:
        yield f"… and {len(grid.rows) - ROWS:,} more\n"
