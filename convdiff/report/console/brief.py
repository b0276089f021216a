"""The short report on the console: a line for a case that is ok, a screen for one that drifts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.brief import Brief, brief_of, ending
from convdiff.report.brief_names import packed
from convdiff.report.console.grid import print_grid as print_agreement
from convdiff.report.console.parts import print_legend, print_missing
from convdiff.report.console.style import MARKS, OUTCOMES, coloured, print_grid
from convdiff.report.marks import Line
from convdiff.report.rules import rule_names
from convdiff.report.runtime_orders import orders_beside, sizes_below
from convdiff.report.summary import CaseSummary, Summary

GLUE = "\ue000"
"""Stands for a space where no line may end; as wide, and not white."""
TOGETHER = re.compile(r"≤ \S+( ulp| off)?|T ≡ 0 mod \d+")
COPIED = ("accept", "draw", "pad")
"""Lines that are copied, or have a place to click on, and so stay whole."""
LABEL = 9
"""Columns of a label."""


def print_brief(console: Console, summary: Summary, *, quiet: bool) -> None:
    """Print each case in short, or (quiet) in a line; then how all ended, with the exit code."""
    print_missing(console, summary)
    alone = len(summary.cases) == 1
    said: tuple[str, ...] = ()
    for number, case in enumerate(summary.cases):
        brief = brief_of(case, alone=alone)
        beside = brief.runtimes if alone and not quiet else ()
        print_answer(console, case, brief, summary.unnamed if number == 0 else "", beside)
        if quiet:
            continue
        if brief.runtimes != said and case.result.outcome != "ok":
            said = brief.runtimes
            print_runtimes(console, brief, cut=not alone)
        if case.result.agreement is not None:
            sizes = sizes_below(case.result, case.result.agreement, orders=True)
            print_agreement(console, case.result.agreement, sizes, orders_beside(case.result))
        print_why(console, brief, cut=not alone)
    if not alone and not quiet:
        _print_more(console, summary)
    print_ending(console, summary)


def _print_more(console: Console, summary: Summary) -> None:
    """Print once for several cases how to see more of those that drift."""
    names = [rule_names(case.drifting.finding)[0] for case in summary.cases if case.drifting]
    if names:
        rules = " · ".join(f"convdiff rule {name}" for name in dict.fromkeys(names))
        _print_cut(console, Text(f"more: -v for every comparison and order · {rules}", style="dim"))


def print_runtimes(console: Console, brief: Brief, *, cut: bool) -> None:
    """Print what runs, and what is absent; cut: in one line."""
    lines = packed(brief.runtimes, console.width - 2)
    for one in [" · ".join(lines)] if cut else lines:
        _print_cut(console, Text(f"  {one}", style="dim"))


def print_answer(
    console: Console, case: CaseSummary, brief: Brief, unnamed: str, beside: Sequence[str] = ()
) -> None:
    """Print the verdict and what it is about; of which framework, where nobody named one.

    beside: the runtimes of the only case, which stand in its line where it is ok and has room.
    """
    for note in case.result.notes:
        console.print(Text.assemble(("note  ", MARKS["warning"]), note))
    style = OUTCOMES[case.result.outcome]
    name = f"{brief.name}, {unnamed} by default" if unnamed else brief.name
    word = Text(brief.word, style=style)
    if case.drifting is not None:  # the verdict in its own colour
        word.stylize(MARKS[VERDICTS[case.drifting.finding.verdict].tone], brief.word.find("["))
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
        _print_cut(console, answer)
    else:
        print_wrapped(console, answer)


def print_wrapped(console: Console, text: Text) -> None:
    """Print a text in lines of the console's width."""
    for part in wrapped(console, text, console.width):
        console.print(part, soft_wrap=True)


def print_why(console: Console, brief: Brief, *, cut: bool) -> None:
    """Print the elements, why they differ, and what to do; cut: a line each, however narrow."""
    if brief.elements is not None:
        print_grid(console, brief.elements)
    for one in brief.lines:
        print_labelled(console, one, cut=cut)
    if brief.again:
        again = Text(f"  {'again':{LABEL - 2}}{brief.again}", style=MARKS["faint"])
        console.print(again, soft_wrap=True)


def print_labelled(console: Console, one: Line, *, cut: bool) -> None:
    """Print a label and what is said beside it; cut: in one line, however narrow."""
    label = Text(f"{one.label.text:{LABEL}}", style=MARKS[one.label.mark] or "bold")
    text = coloured(one.spans)
    name = one.label.text.strip()
    if name in COPIED:
        console.print(Text.assemble(label, text), soft_wrap=True)
        return
    if name == "order":  # its notation is no sentence
        console.print(Text.assemble(label, text), no_wrap=True, overflow="ellipsis", crop=True)
        return
    if cut:
        _print_cut(console, Text.assemble(label, text))
        return
    lines = wrapped(console, text, max(20, console.width - LABEL))
    for number, part in enumerate(lines):
        console.print(Text.assemble(label if number == 0 else " " * LABEL, part), soft_wrap=True)


def wrapped(console: Console, text: Text, width: int) -> list[Text]:
    """Return a text in lines; what belongs to a number stays beside it."""
    text.plain = TOGETHER.sub(lambda found: found[0].replace(" ", GLUE), text.plain)
    lines = [*text.wrap(console, width)]
    for one in lines:
        one.plain = one.plain.replace(GLUE, " ")
    return lines


def _print_cut(console: Console, text: Text) -> None:
    """Print a text in one line; what is too long is cut after a clause, where one fits."""
    if text.cell_len > console.width:
        at = max(text.plain.rfind(mark, 0, console.width - 2) for mark in ("; ", ", "))
        text = Text.assemble(text[: at + 1], " …") if at > console.width // 2 else text
    console.print(text, no_wrap=True, overflow="ellipsis", crop=True)


def print_ending(console: Console, summary: Summary) -> None:
    """Print what the colours mean, where there are any, how the cases ended, and the exit code."""
    if console.color_system and any(case.drifting is not None for case in summary.cases):
        print_legend(console)
    console.print(Text(ending(summary), style="bold"))
