"""What the reports of `run` and `sweep` share."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.console.style import (
    MARKS,
    OUTCOMES,
    coloured,
    print_grid,
    print_lines,
    print_pairs,
)
from convdiff.report.detail import Detail
from convdiff.report.elements import element_grid
from convdiff.report.marks import Mark, Span, line
from convdiff.report.summary import OUTCOMES as WORDS
from convdiff.report.summary import CaseSummary, Summary, advice_lines

LONG = 24
"""Characters of a runtime's id; what a longer one is stands below it."""


def print_headline(console: Console, case: CaseSummary) -> None:
    """Print the answer in one line, before it what usually causes it, and how far it came."""
    for note in case.result.notes:
        print_lines(console, [line(Span("note", "warning"), note)])
    outcome = case.result.outcome
    word = Text(WORDS[outcome], style=OUTCOMES[outcome])
    answer = Text.assemble((case.name, "bold"), ": ", case.headline)
    print_pairs(console, [(word, answer)])
    if case.result.interrupted:
        console.print(Text(case.progress, style=MARKS["warning"]))


def print_runtimes(console: Console, case: CaseSummary) -> None:
    """Print what each runtime is, or why it is not there; with numbers where there are several."""
    lines = []
    for runtime in case.runtimes:
        mark: Mark = "faint" if runtime.available else "warning"
        lines.append(line(Span(runtime.name, mark), Span(runtime.text, mark)))
    if any(len(runtime.name) > LONG for runtime in case.runtimes):
        for one in lines:
            console.print(coloured([one.label]))
            print_lines(console, [line("  ", *one.spans)])
    else:
        print_lines(console, lines)
    console.print()


def print_detail(console: Console, detail: Detail) -> None:
    """Print one comparison's worst elements, why they differ, and which side is right."""
    console.print(Text.assemble((detail.title, "bold"), (f"  {detail.row.where}", "dim")))
    if detail.elements:
        print_grid(console, element_grid(detail.elements, detail.row.names))
    if detail.left:
        console.print(f"  … and {detail.left:,} more elements differ; -vv shows them")
    print_lines(console, detail.lines)
    console.print()


def print_failures(console: Console, case: CaseSummary) -> None:
    """Print each reason for missing bits once, with the cells it cost."""
    print_lines(console, case.failures)


def print_what_to_do(console: Console, case: CaseSummary, *, all_safe: bool = False) -> None:
    """Print safe lengths, what searches for more, and the suggested expectation.

    all_safe: print the safe lengths even where all are.
    """
    print_lines(console, advice_lines(case.advice, all_safe=all_safe))


def print_again(console: Console, case: CaseSummary) -> None:
    """Print the command that repeats the worst case, on one line to be copied."""
    if case.is_repeated:
        console.print(Text(f"again: {case.again}", style=MARKS["faint"]), soft_wrap=True)


def print_missing(console: Console, summary: Summary) -> None:
    """Print which required runtimes are not there: that is the answer, whatever else was equal."""
    for missing in summary.missing:
        print_pairs(console, [(Text("UNTESTED", style=OUTCOMES["untested"]), Text(missing))])


def print_legend(console: Console) -> None:
    """Print what the colours mean: how grave a difference is."""
    legend = Text.assemble(("colours: ", "dim"))
    for name, facts in reversed(list(VERDICTS.items())):
        if facts.differs:
            legend.append(f"{name} ", style=MARKS[facts.tone])
    console.print(legend)


def print_summary(console: Console, summary: Summary) -> None:
    """Print how several cases ended, those that are not ok by name."""
    if len(summary.told) < 2:
        return
    kinds: dict[str, list[str]] = {}
    for case in summary.told:
        kinds.setdefault(case.result.outcome, []).append(case.name)
    parts = []
    for kind, names in kinds.items():
        part = f"{len(names)} {kind}"
        if kind != "ok":
            part += f" ({', '.join(names)})"
        parts.append(part)
    noun = "cases and nets" if summary.nets else "cases"
    console.print(Text(f"\n{len(summary.told)} {noun}: {', '.join(parts)}", style="bold"))
