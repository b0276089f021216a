"""What the reports of `run` and `sweep` share."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.diagnose.verdict import Finding
from convdiff.report.console import style, words
from convdiff.report.console.elements import element_table
from convdiff.report.console.headline import headline, worst_finding
from convdiff.report.console.why import why_rows
from convdiff.report.runtime_line import fingerprint, is_asked
from convdiff.result import CaseResult, Result


def print_headline(console: Console, case: CaseResult) -> None:
    """Print the answer in one line, before it what usually causes it, and how far it came."""
    for note in case.notes:
        print_pairs(console, [(Text("note", style="yellow"), Text(note))])
    word, colour = style.OUTCOMES[case.outcome]
    said = Text.assemble((case.case.name, "bold"), ": ", headline(case))
    print_pairs(console, [(Text(word, style=colour), said)])
    if case.interrupted:
        done = f"interrupted: {case.done:,} of {case.cells:,} cells were run"
        console.print(Text(done, style="yellow"))


def print_runtimes(console: Console, result: Result, case: CaseResult) -> None:
    """Print what each runtime is, or why it is not there; with numbers where there are several."""
    rows = []
    for standing in result.standings:
        if standing.runtime in case.runtimes:
            many = len(case.runtimes) > 1
            mark = f"#{case.runtimes.index(standing.runtime) + 1} " if many else ""
        elif not standing.available and is_asked(standing, case.case.devices):
            mark = ""
        else:
            continue
        colour = "dim" if standing.available else "yellow"
        name = Text(f"{mark}{standing.runtime.id}", style=colour)
        rows.append((name, Text(fingerprint(standing), style=colour)))
    if any(len(name) > 24 for name, _ in rows):
        for name, said in rows:
            console.print(name)
            print_pairs(console, [(Text("  "), said)])
    else:
        print_pairs(console, rows)
    console.print()


def print_detail(console: Console, case: CaseResult, finding: Finding) -> None:
    """Print one comparison's worst elements, why they differ, and which side is right."""
    comparison = finding.comparison
    baseline, candidate = words.sides(comparison, case)
    where = words.context(comparison, case)
    console.print(Text.assemble((f"{candidate} against {baseline}", "bold"), (f"  {where}", "dim")))
    if comparison.exact is not None:
        assert comparison.difference is not None
        console.print(element_table(comparison, case))
        left = comparison.difference.differing - len(comparison.exact)
        if left:
            console.print(f"  … and {left:,} more elements differ; --all shows them")
    evidence = "; ".join(finding.evidence)
    for side, name in (("baseline: ", baseline), ("candidate: ", candidate)):
        evidence = evidence.replace(side, f"{name}: ")
    rows = [(Text("  why"), Text.assemble(style.verdict(finding.verdict), f": {evidence}"))]
    rows += why_rows(finding, (baseline, candidate))
    if comparison.nearness is not None:
        rows.append((Text("  right"), Text(words.nearer(comparison, case))))
    if comparison.condition > 1e3:
        text = (
            f"the terms are {comparison.condition:.3g} times the result: relative error says little"
        )
        rows.append((Text("  note"), Text(text)))
    print_pairs(console, rows)
    console.print()


def print_failures(console: Console, case: CaseResult) -> None:
    """Print each reason for missing bits once, with the cells it cost."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for failure in case.failures:
        key = (f"{failure.cell.runtime.id} {failure.cell.op}", failure.reason or "")
        reasons.setdefault(key, []).append(failure.cell.length)
    for (where, reason), cells in reasons.items():
        lengths = words.short(sorted(set(cells)))
        text = Text(f"{where} T={lengths}, {len(cells):,} cell{'s' * (len(cells) > 1)}: {reason}")
        print_pairs(console, [(Text("untested", style="yellow"), text)])


def print_what_to_do(console: Console, case: CaseResult, *, safe: bool = False) -> None:
    """Print safe lengths, remedies and the suggested expectation.

    safe: print the safe lengths even where all are.
    """
    rows = []
    for found in case.safe_lengths:
        if found.unsafe or safe:
            index = [runtime.id for runtime in case.runtimes].index(found.runtime) + 1
            where = f"#{index} " if len(case.runtimes) > 1 else ""
            rows.append((Text("safe lengths", "bold"), Text(where + words.safe(found))))
    rows += [(Text("usually equal with", "bold"), Text(remedy)) for remedy in case.remedies]
    if case.suggested_expect is not None:
        changed = {
            axis: f"{{ulps: {allowance.ulps}}}" if allowance.kind == "ulps" else allowance.kind
            for axis, allowance in case.suggested_expect.items()
            if allowance != case.case.expect[axis]
        }
        inside = ", ".join(f"{axis}: {allowance}" for axis, allowance in changed.items())
        text = Text.assemble(f"expect: {{{inside}}}", ("  (checked: passes on these bits)", "dim"))
        rows.append((Text("or accept it", "bold"), text))
    print_pairs(console, rows)


def print_again(console: Console, case: CaseResult, command: str) -> None:
    """Print the command that repeats the worst case, on one line to be copied."""
    if worst_finding(case) is not None or case.outcome != "ok":
        console.print(Text(f"again: {command}", style="dim"), soft_wrap=True)


def print_missing(console: Console, result: Result) -> None:
    """Print which required runtimes are not there: that is the answer, whatever else was equal."""
    for missing in result.missing_required:
        said = Text(f"{missing.runtime.id} is required: {missing.reason}")
        print_pairs(console, [(Text("UNTESTED", style="bold yellow"), said)])


def print_summary(console: Console, result: Result) -> None:
    """Print how several cases ended, those that are not ok by name."""
    if len(result.cases) < 2:
        return
    kinds: dict[str, list[str]] = {}
    for case in result.cases:
        kinds.setdefault(case.outcome, []).append(case.case.name)
    parts = [
        f"{len(names)} {kind}" + ("" if kind == "ok" else f" ({', '.join(names)})")
        for kind, names in kinds.items()
    ]
    console.print(Text(f"\n{len(result.cases)} cases: {', '.join(parts)}", style="bold"))


def print_pairs(console: Console, rows: Sequence[tuple[Text, Text]]) -> None:
    """Print pairs with the second column's lines under each other."""
    if rows:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column()
        for name, text in rows:
            grid.add_row(name, text)
        console.print(grid)
