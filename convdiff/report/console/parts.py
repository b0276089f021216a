"""What the reports of `run` and `sweep` share: headline, runtimes, failures, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from convdiff.report.console import style, words
from convdiff.result import CaseResult, Result


def print_headline(console: Console, case: CaseResult) -> None:
    """Print the answer in one line, and how far an interrupted run came."""
    word, colour = style.OUTCOMES[case.outcome]
    console.print(
        Text.assemble((word, colour), "  ", (case.case.name, "bold"), ": ", words.headline(case))
    )
    if case.done < case.cells:
        console.print(
            Text(f"interrupted: {case.done:,} of {case.cells:,} cells were run", style="yellow")
        )


def print_runtimes(console: Console, result: Result, case: CaseResult) -> None:
    """Print what each runtime is, or why it is not there."""
    for standing in result.standings:
        mine = standing.runtime in case.runtimes
        asked = standing.runtime.device.split(":")[0] in {d.split(":")[0] for d in case.case.devices}
        if mine or (asked and not standing.available):
            line = Text(f"{standing.runtime.id}  {words.fingerprint(standing)}")
            line.stylize("dim" if standing.available else "yellow")
            console.print(line)
    console.print()


def print_failures(console: Console, case: CaseResult) -> None:
    """Print each reason for missing bits once, with how many cells it cost."""
    reasons: dict[tuple[str, str], int] = {}
    for failure in case.failures:
        key = (f"{failure.cell.runtime.id} {failure.cell.op}", failure.reason or "")
        reasons[key] = reasons.get(key, 0) + 1
    for (where, reason), cells in reasons.items():
        console.print(Text(f"untested: {where}, {cells} cell(s): {reason}", style="yellow"))


def print_what_to_do(console: Console, case: CaseResult, remedies: Sequence[str]) -> None:
    """Print safe lengths, remedies and the suggested expectation."""
    drifted = any(not f.allowed and f.comparison.axis == "length" for f in case.findings)
    for safe in case.safe_lengths:
        if drifted or safe.unsafe:
            where = f" on {safe.runtime}" if len(case.runtimes) > 1 else ""
            console.print(Text.assemble(("safe lengths", "bold"), where, ": ", words.safe(safe)))
    for remedy in remedies:
        console.print(Text.assemble(("to make it equal", "bold"), ": ", remedy))
    if case.suggested_expect is not None:
        changed = {
            axis: allowance
            for axis, allowance in case.suggested_expect.items()
            if allowance != case.case.expect[axis]
        }
        inside = ", ".join(
            f"{axis}: {{ulps: {a.ulps}}}" if a.kind == "ulps" else f"{axis}: {a.kind}"
            for axis, a in changed.items()
        )
        console.print(
            Text.assemble(("or accept it", "bold"), f": expect: {{{inside}}}", ("  passes today", "dim"))
        )
