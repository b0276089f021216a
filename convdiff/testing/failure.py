"""A failed case in pytest: the report of `convdiff run -v`, and why nothing was tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.errors import DRIFT
from convdiff.report.commands import Commands
from convdiff.report.console import print_run
from convdiff.report.console.screen import rendered
from convdiff.report.sentences import reason
from convdiff.report.summary import Summary, summarise
from convdiff.result import Result


def failure_text(result: Result, commands: Sequence[Commands]) -> str:
    """Return what `convdiff run -v` prints of a case, the reason first where it has no answer.

    commands: those that go on from it.
    """
    summary = summarise(result, commands)
    text = rendered(lambda console: print_run(console, summary, show_all=False), "never")
    (case,) = summary.cases
    if not case.is_repeated:
        text += f"again: {case.again}\n"
    if result.exit_code != DRIFT:
        why = next(_reasons(summary), "nothing was compared")
        text = f"could not test: {why}\n\n{text}"
    return text.rstrip()


def _reasons(summary: Summary) -> Iterator[str]:
    """Yield why nothing can be said of the one case, the gravest first."""
    (case,) = summary.result.cases
    yield from summary.missing
    for failure in case.failures:
        yield f"{failure.cell.runtime.id}: {failure.reason}"
    if case.died:
        yield "a worker died"
    if not case.runtimes:
        for standing in summary.result.standings:
            yield f"{standing.runtime.id}: {standing.reason}"
    for finding in case.findings:
        if VERDICTS[finding.verdict].proves_nothing:
            yield reason(finding)
    if any(finding.lock == "unproved" for finding in case.findings):
        yield "the locked summation order is not proved"
