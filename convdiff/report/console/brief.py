"""The short report on the console: a line for a case that is ok, a screen for one that drifts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from convdiff.case.words import given
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.brief import Brief, brief_of, ending
from convdiff.report.brief_lines import RENEW, is_renewable
from convdiff.report.brief_names import packed
from convdiff.report.console.grid import print_grid as print_agreement
from convdiff.report.console.lines import print_again, print_cut, print_labelled, print_wrapped
from convdiff.report.console.parts import print_legend, print_missing
from convdiff.report.console.style import MARKS, OUTCOMES, print_grid
from convdiff.report.console.trace import print_nets
from convdiff.report.rules import rule_names
from convdiff.report.runtime_orders import orders_beside, sizes_below
from convdiff.report.summary import CaseSummary, Summary


def print_brief(console: Console, summary: Summary, *, quiet: bool) -> None:
    """Print each case in short, or (quiet) in a line; then how all ended, with the exit code."""
    print_missing(console, summary)
    alone = len(summary.cases) == 1 and not summary.nets
    printed: tuple[str, ...] = ()
    for number, case in enumerate(summary.cases):
        brief = brief_of(case, alone=alone)
        unnamed = summary.unnamed if number == 0 else ""
        beside = brief.runtimes if alone and not quiet else ()
        print_answer(console, case, brief, unnamed, beside)
        if quiet:
            continue
        if brief.runtimes != printed and case.result.outcome != "ok":
            printed = brief.runtimes
            print_runtimes(console, brief, cut=not alone)
        if case.result.agreement is not None:
            sizes = sizes_below(case.result, case.result.agreement, orders=True)
            print_agreement(console, case.result.agreement, sizes, orders_beside(case.result))
        print_why(console, brief, cut=not alone)
    print_nets(console, summary.nets, quiet=quiet)
    if not alone and not quiet:
        _print_more(console, summary)
    print_ending(console, summary)


def _print_more(console: Console, summary: Summary) -> None:
    """Print once for several cases how to see more of those that drift."""
    parts, renewable = ["more: -v for every comparison and order"], True
    for case in summary.cases:
        if case.drifting is not None:
            parts.append(f"convdiff rule {rule_names(case.drifting.finding)[0]}")
            renewable = renewable and is_renewable(case)
    if len(parts) > 1:
        print_cut(console, Text(" · ".join(dict.fromkeys(parts)), style="dim"))
    if len(parts) > 1 and renewable:
        console.print(Text(f"renew: {RENEW}", style="dim"))


def print_runtimes(console: Console, brief: Brief, *, cut: bool) -> None:
    """Print what runs, and what is absent; cut: in one line."""
    lines = packed(brief.runtimes, console.width - 2)
    if cut:
        lines = [" · ".join(lines)]
    for one in lines:
        print_cut(console, Text(f"  {one}", style="dim"))


def print_answer(
    console: Console, case: CaseSummary, brief: Brief, unnamed: str, beside: Sequence[str] = ()
) -> None:
    """Print the verdict and what it is about; of which framework, where nobody named one.

    beside: the runtimes of the only case, which stand in its line where it is ok and has room.
    """
    for note in case.result.notes:
        console.print(Text.assemble(("note  ", MARKS["warning"]), note))
    style = OUTCOMES[case.result.outcome]
    name = brief.name + given(unnamed, ", {} by default")
    word = Text(brief.word, style=style)
    if case.drifting is not None:  # the verdict in its own colour
        word.stylize(MARKS[VERDICTS[case.drifting.verdict].tone], brief.word.find("["))
    head = Text.assemble(word, " ", (name, "bold"), ": ")
    if case.result.outcome == "ok":
        _print_ok(console, head, brief, beside)
    else:
        print_wrapped(console, Text.assemble(head, brief.sentence))
    if case.result.interrupted:
        console.print(Text(f"  {case.progress}", style=MARKS["warning"]))


def _print_ok(console: Console, head: Text, brief: Brief, beside: Sequence[str]) -> None:
    """Print the answer in a line; in more, with the runtimes below, if it is the only one's.

    What is kept of it is never cut, whatever else there is to say.
    """
    answer = Text.assemble(head, brief.sentence)
    runtimes = Text("".join(f" · {one}" for one in beside), style=MARKS["faint"])
    if answer.cell_len + runtimes.cell_len <= console.width:
        console.print(Text.assemble(answer, runtimes))
    elif beside:
        print_wrapped(console, answer)
        print_runtimes(console, brief, cut=False)
    elif head.cell_len + len(brief.kept) + len("; " + " …") <= console.width:
        print_cut(console, answer)
    else:
        print_wrapped(console, answer)


def print_why(console: Console, brief: Brief, *, cut: bool) -> None:
    """Print the elements, why they differ, and what to do; cut: a line each, however narrow."""
    if brief.elements is not None:
        print_grid(console, brief.elements)
    for line in brief.lines:
        print_labelled(console, line, cut=cut)
    if brief.again:
        print_again(console, brief.again)


def print_ending(console: Console, summary: Summary) -> None:
    """Print what the colours mean, where there are any, how the cases ended, and the exit code."""
    if console.color_system and any(case.drifting is not None for case in summary.cases):
        print_legend(console)
    console.print(Text(ending(summary), style="bold"))
