"""`convdiff pad` on the console."""

from __future__ import annotations

from rich.console import Console

from convdiff.net.padding.result import Answer
from convdiff.report.console.screen import rendered
from convdiff.report.console.style import coloured, print_grid, print_lines
from convdiff.report.marks import Span
from convdiff.report.padding.lines import grid, padding_lines, question_lines
from convdiff.report.runtime_line import fingerprint


def render(answer: Answer, color: str) -> str:
    """Return the text; color is what `rendered` takes."""
    return rendered(lambda console: _print(console, answer), color)


def _print(console: Console, answer: Answer) -> None:
    question = answer.question
    console.print(coloured([Span(question.name, "strong")]))
    print_lines(console, question_lines(answer))
    for padding in answer.paddings:
        console.print()
        standing = padding.standing
        told = f"  {fingerprint(standing)}" if standing.available else ""
        console.print(coloured([Span(standing.name, "strong"), Span(told)]))
        if padding.safe:
            print_grid(console, grid(padding))
            console.print()
        print_lines(console, padding_lines(padding, question))
