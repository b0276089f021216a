"""`convdiff pad` on the console."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from convdiff.net.padding.result import Answer
from convdiff.report.console.lines import print_labelled, print_wrapped
from convdiff.report.console.screen import rendered
from convdiff.report.console.style import coloured, print_grid
from convdiff.report.marks import Line, Span
from convdiff.report.padding.lines import (
    answer_spans,
    evidence_lines,
    grid,
    question_lines,
    rule_lines,
)


def render(answer: Answer, color: str) -> str:
    """Return the text; color is what `rendered` takes."""
    return rendered(lambda console: _print(console, answer), color)


def _print(console: Console, answer: Answer) -> None:
    """Print the answer of each runtime first, then its rule, its lengths, and the evidence."""
    question = answer.question
    several = len(answer.paddings) > 1
    for padding in answer.paddings:
        print_wrapped(console, coloured(answer_spans(padding, question)))
    for padding in answer.paddings:
        if several and padding.safe:
            console.print(coloured([Span("\n"), Span(padding.standing.name, "strong")]))
        _print_labelled(console, rule_lines(padding, question))
        if padding.safe:
            print_grid(console, grid(padding))
        _print_labelled(console, evidence_lines(padding, question))
    _print_labelled(console, question_lines(answer))


def _print_labelled(console: Console, lines: Iterable[Line]) -> None:
    for line in lines:
        print_labelled(console, line, cut=False)
