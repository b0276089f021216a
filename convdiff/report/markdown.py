"""The report in GitHub's Markdown, for $GITHUB_STEP_SUMMARY: the answer first, the proof folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from convdiff.case.words import few, given
from convdiff.report import trace_markdown
from convdiff.report.detail import detail_of
from convdiff.report.elements import header
from convdiff.report.groups import Row, first, one_usual, stories, unusual
from convdiff.report.markdown_text import block, table, text
from convdiff.report.net_summary import TraceSummary
from convdiff.report.plain import ELEMENTS, detail_text, failures_text
from convdiff.report.rules import rule_links, rule_names
from convdiff.report.sentences import searches
from convdiff.report.summary import OUTCOMES, CaseSummary, Summary

LIMIT = 2**20 - 1
"""Bytes; GitHub shows no summary of 1 MiB or more."""
LAST = 200
"""Bytes kept for the line that says what is left out."""
HEADER = ("axis", "compared", "differ", "Δ", "ulp", "verdict")
CASES = 100
ROWS = 50
DETAILS = 4


def render(summary: Summary) -> str:
    """Return the report; what GitHub would not show is left out, and it says so."""
    cases = sorted(summary.told, key=_is_ok)
    report = _answer(summary)
    used = len(report.encode())
    for number, case in enumerate(cases):
        section = _section(case)
        used += len(section.encode())
        if used > LIMIT - LAST:
            left = f"{len(cases) - number:,} of {len(cases):,} cases"
            return f"{report}\n… left out, to stay below 1 MiB: {left}\n"
        report += section
    return report


def _is_ok(case: CaseSummary | TraceSummary) -> bool:
    return case.result.outcome == "ok"


def _answer(summary: Summary) -> str:
    """Return what is missing or amiss in the whole run, and each case's headline."""
    result = summary.result
    lines = [f"## convdiff: {OUTCOMES[result.outcome]}\n"]
    lines += [f"**{text(missing)}**\n" for missing in summary.missing]
    if result.unrecorded:
        lines.append(f"**not recorded: {text(result.unrecorded)}**\n")
    if result.ended:
        lines.append(f"**{result.ended}: what follows is what was done**\n")
    died = [case.case.name for case in result.cases if case.died]
    if died:
        lines.append(f"**a worker died in {text(few(died))}**\n")
    if result.unclaimed:
        unclaimed = text(few(result.unclaimed))
        lines.append(f"The baseline has cases that no file claims: {unclaimed}\n")
    cases = first(_graver_first(summary.told), CASES)
    rows = [(OUTCOMES[case.result.outcome], case.name, case.headline) for case in cases.shown]
    lines += table(("outcome", "case", "answer"), rows)
    if cases.left:
        lines.append(f"… and {cases.left:,} more cases\n")
    return "\n".join(lines)


def _graver_first(
    cases: Sequence[CaseSummary | TraceSummary],
) -> Sequence[CaseSummary | TraceSummary]:
    """Return the cases in their order, or the graver ones first where not all can be shown."""
    if len(cases) <= CASES:
        return cases
    return sorted(cases, key=_is_ok)


def _section(case: CaseSummary | TraceSummary) -> str:
    """Return all of one case or net; one that is ok is folded."""
    if isinstance(case, TraceSummary):
        return trace_markdown.section(case)
    result = case.result
    lines = [f"- {text(note)}" for note in result.notes]
    if lines:
        lines.append("")
    if result.interrupted:
        lines.append(f"{case.progress}\n")
    lines += _comparisons(case)
    lines += _elements(case)
    lines += _details(case)
    lines += _rules(case)
    lines += block(failures_text(case))
    if result.unclaimed:
        unclaimed = text(few(result.unclaimed))
        lines.append(f"The baseline has entries that the case does not ask for: {unclaimed}\n")
    lines += _what_to_do(case)
    lines += _runtimes(case)
    if case.is_repeated:
        lines += ["To repeat it:\n", *block(case.again, "sh")]
    name, inside = text(case.name), "\n".join(lines)
    if _is_ok(case) and not result.died:
        return f"\n<details><summary>{name}: OK</summary>\n\n{inside}\n</details>\n"
    return f"\n### {name}\n\n{inside}"


def _comparisons(case: CaseSummary) -> Iterator[str]:
    """Yield the table of what differs, drifts or was not compared."""
    telling = [row for row in case.rows if row.verdict != "same" or row.drifts]
    same = len(case.rows) - len(telling)
    rows = first(sorted(one_usual(telling), key=lambda row: not row.drifts), ROWS)
    if rows.shown:
        yield from table(HEADER, map(_cells, rows.shown))
    if rows.left:
        yield f"… and {rows.left:,} more that differ or were not compared\n"
    if same:
        yield f"{same:,} of {len(case.rows):,} comparisons found the same bits.\n"


def _cells(row: Row) -> tuple[str, ...]:
    ruling = "".join(span.text for span in row.ruling)
    return row.axis, row.name, row.measured, row.delta, row.ulp, ruling


def _elements(case: CaseSummary) -> Iterator[str]:
    """Yield the worst elements of the worst drift."""
    if case.drifting is None:
        return
    detail = detail_of(case.result, case.drifting, ELEMENTS)
    if detail.elements:
        yield f"The worst elements of {_compared(detail.row)}:\n"
        cells = [one.cells for one in detail.elements]
        yield from table(header(detail.elements, detail.row.names), cells)


def _details(case: CaseSummary) -> Iterator[str]:
    """Yield why they differ, drift first; the same story is told once."""
    rows = unusual(case.rows)
    groups = stories(row for row in rows if row.drifts or row.verdict not in ("same", "untested"))
    for group in groups[:DETAILS]:
        more = given(len(group) - 1, ", and {:,} more of the same")
        yield f"<details><summary>Why: {_compared(group[0])}{more}</summary>\n"
        yield from block(detail_text(detail_of(case.result, group[0], ELEMENTS)))
        yield "</details>\n"
    left = sum(map(len, groups[DETAILS:]))
    if left:
        yield f"… and {left:,} more that differ\n"


def _rules(case: CaseSummary) -> Iterator[str]:
    """Yield how to read on about what drifted: commands, and pages of the documentation."""
    drifting = chain.from_iterable(rule_names(row.finding) for row in case.drifted)
    for command, page in rule_links(dict.fromkeys(drifting)):
        yield f"- what it means, and what to do: {command} ({page})"
    yield ""


def _compared(row: Row) -> str:
    return text(f"{row.axis} {row.candidate} against {row.baseline} {row.where}".strip())


def _what_to_do(case: CaseSummary) -> Iterator[str]:
    """Yield safe lengths, what searches for more, and the expectation to be copied."""
    for safe in case.advice.safe:
        if safe.some_unsafe:
            words = safe.text
            if safe.number:
                words = f"{safe.runtime}: {words}"
            yield f"- safe lengths: {text(words)}"
    if case.advice.search:
        yield f"- try {text(searches(case.advice.search))}"
    yield ""
    if case.advice.expect:
        lines = [f"  {axis}: {allowance}" for axis, allowance in case.advice.expect.items()]
        yield "Or accept it (checked: passes on these bits):\n"
        yield from block("\n".join(["expect:", *lines]), "yaml")


def _runtimes(case: CaseSummary) -> Iterator[str]:
    rows = [(runtime.name, runtime.text) for runtime in case.runtimes]
    if rows:
        yield from table(("runtime", "what it is"), rows)
