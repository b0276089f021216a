"""A trace on the console: where a difference enters, layer by layer, and why."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from convdiff.report.brief_names import packed
from convdiff.report.console.brief import LABEL, print_labelled, print_wrapped
from convdiff.report.console.style import MARKS, OUTCOMES, print_grid
from convdiff.report.trace_summary import TraceSummary


def print_trace(console: Console, summary: TraceSummary, *, quiet: bool) -> None:
    """Print the answer; unless quiet also the layers, the proof, and what repeats it."""
    head = Text.assemble(
        (summary.word, OUTCOMES[summary.result.outcome]), " ", (summary.name, "bold"), ": "
    )
    print_wrapped(console, Text.assemble(head, summary.sentence))
    if not quiet:
        for runtime in packed(summary.runtimes, console.width - 2):
            console.print(Text(f"  {runtime}", style=MARKS["faint"]))
        if summary.pairs is not None:
            print_grid(console, summary.pairs)
        if summary.layers is not None:
            console.print(Text(f"{summary.shown}:", style="bold"))
            print_grid(console, summary.layers, cuts=True)
        for one in summary.lines:
            print_labelled(console, one, cut=False)
        if summary.again:
            again = Text(f"  {'again':{LABEL - 2}}{summary.again}", style=MARKS["faint"])
            console.print(again, soft_wrap=True)
    console.print(Text(summary.ending, style="bold"))
