"""A model file in two of its own runtimes on the console: the answer first, then why."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from convdiff.report.brief_names import packed
from convdiff.report.console.lines import LABEL, print_labelled, print_wrapped
from convdiff.report.console.style import MARKS, OUTCOMES
from convdiff.report.own_trace import OwnSummary


def print_own(console: Console, summary: OwnSummary, *, quiet: bool) -> None:
    """Print the answer and the exit code; unless quiet also where it enters, and why."""
    word, name = (summary.word, OUTCOMES[summary.outcome]), (summary.name, "bold")
    print_wrapped(console, Text.assemble(word, " ", name, ": ", summary.headline))
    if not quiet:
        for runtime in packed(summary.runtimes, console.width - 2):
            console.print(Text(f"  {runtime}", style=MARKS["faint"]))
        for one in summary.lines:
            print_labelled(console, one, cut=False)
        if summary.again:
            again = Text(f"  {'again':{LABEL - 2}}{summary.again}", style=MARKS["faint"])
            console.print(again, soft_wrap=True)
    console.print(Text(summary.ending, style="bold"))
