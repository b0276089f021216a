"""A trace on the console: where a difference enters, layer by layer, and why."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from convdiff.report.brief_names import packed
from convdiff.report.console.lines import print_again, print_labelled, print_wrapped
from convdiff.report.console.style import MARKS, OUTCOMES, print_grid
from convdiff.report.net_summary import TraceSummary


def print_trace(console: Console, summary: TraceSummary, *, quiet: bool) -> None:
    """Print a net's trace and its exit code; see `print_net`."""
    print_net(console, summary, quiet=quiet)
    console.print(Text(summary.ending, style="bold"))


def print_nets(console: Console, nets: Sequence[TraceSummary], *, quiet: bool) -> None:
    """Print nets among cases: a line of what is ok, all of what is not; quiet: a line of each."""
    for net in nets:
        print_net(console, net, quiet=quiet or net.result.outcome == "ok")


def print_net(console: Console, summary: TraceSummary, *, quiet: bool) -> None:
    """Print the answer; unless quiet also the layers, the proof, and what repeats it."""
    head = Text.assemble(
        (summary.word, OUTCOMES[summary.result.outcome]), " ", (summary.name, "bold"), ": "
    )
    print_wrapped(console, Text.assemble(head, summary.headline))
    if not quiet:
        for runtime in packed(summary.runtimes, console.width - 2):
            console.print(Text(f"  {runtime}", style=MARKS["faint"]))
        if summary.pairs is not None:
            print_grid(console, summary.pairs)
        if summary.layers is not None:
            console.print(Text(f"{summary.shown}:", style="bold"))
            print_grid(console, summary.layers, cuts=True)
        for line in summary.lines:
            print_labelled(console, line, cut=False)
        if summary.again:
            print_again(console, summary.again)
