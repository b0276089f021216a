"""The report in GitHub's Markdown, for $GITHUB_STEP_SUMMARY: the answer first, the proof folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.diagnose.verdict import Finding
from convdiff.report import plain
from convdiff.report.console import style, words
from convdiff.report.console.alike import stories
from convdiff.report.console.headline import headline, worst_finding
from convdiff.report.markdown_text import block, table, text
from convdiff.report.numbers import count, decimal, delta
from convdiff.report.runtime_line import fingerprint
from convdiff.result import CaseResult, Result
from convdiff.runtime.model import Standing

LIMIT = 2**20 - 1
"""Bytes; GitHub shows no summary of 1 MiB or more."""
LAST = 200
"""Bytes kept for the line that says what is left out."""
CASES = 100
ROWS = 50
DETAILS = 4


def render(result: Result, again: Sequence[str]) -> str:
    """Return the report; what GitHub would not show is left out, and it says so.

    again: the command that repeats each case's worst comparison.
    """
    pairs = sorted(zip(result.cases, again, strict=True), key=lambda pair: pair[0].outcome == "ok")
    report = _answer(result)
    used = len(report.encode())
    for number, (case, line) in enumerate(pairs):
        section = _section(result, case, line)
        used += len(section.encode())
        if used > LIMIT - LAST:
            left = f"{len(pairs) - number:,} of {len(pairs):,} cases"
            return f"{report}\n… left out, to stay below 1 MiB: {left}\n"
        report += section
    return report


def _answer(result: Result) -> str:
    """Return what is missing or amiss in the whole run, and each case's headline."""
    lines = [f"## convdiff: {style.OUTCOMES[result.outcome][0]}\n"]
    for missing in result.missing_required:
        lines.append(f"**{text(f'{missing.runtime.id} is required: {missing.reason}')}**\n")
    if result.unrecorded:
        lines.append(f"**not recorded: {text(result.unrecorded)}**\n")
    if result.interrupted:
        lines.append("**interrupted: what follows is what was done**\n")
    if died := [case.case.name for case in result.cases if case.died]:
        lines.append(f"**a worker died in {text(plain.few(died))}**\n")
    if result.unclaimed:
        said = text(plain.few(result.unclaimed))
        lines.append(f"The baseline has cases that no file claims: {said}\n")
    shown = _graver_first(result.cases)
    lines += table(
        ("outcome", "case", "answer"),
        ((style.OUTCOMES[c.outcome][0], c.case.name, headline(c)) for c in shown[:CASES]),
    )
    if len(shown) > CASES:
        lines.append(f"… and {len(shown) - CASES:,} more cases\n")
    return "\n".join(lines)


def _graver_first(cases: Sequence[CaseResult]) -> Sequence[CaseResult]:
    """Return the cases in their order, or the graver ones first where not all can be shown."""
    many = len(cases) > CASES
    return sorted(cases, key=lambda case: case.outcome == "ok") if many else cases


def _section(result: Result, case: CaseResult, again: str) -> str:
    """Return all of one case; one that is ok is folded."""
    lines = [f"- {text(note)}" for note in case.notes]
    lines += [""] if lines else []
    if case.interrupted:
        lines.append(f"interrupted: {case.done:,} of {case.cells:,} cells were run\n")
    lines += _comparisons(case)
    lines += _elements(case)
    lines += _details(case)
    lines += block(plain.failures(case))
    if case.unclaimed:
        said = text(plain.few(case.unclaimed))
        lines.append(f"The baseline has entries that the case does not ask for: {said}\n")
    lines += _what_to_do(case)
    lines += _runtimes(plain.standings_of(result, case), case)
    if worst_finding(case) is not None or case.outcome != "ok":
        lines += ["To repeat it:\n", *block(again, "sh")]
    name, inside = text(case.case.name), "\n".join(lines)
    if case.outcome == "ok" and not case.died:
        return f"\n<details><summary>{name}: OK</summary>\n\n{inside}\n</details>\n"
    return f"\n### {name}\n\n{inside}"


def _comparisons(case: CaseResult) -> Iterator[str]:
    """Yield the table of what differs, drifts or was not compared."""
    telling = [f for f in case.findings if f.verdict != "same" or not f.allowed]
    telling.sort(key=lambda finding: finding.allowed)
    rows = []
    for finding in telling[:ROWS]:
        comparison = finding.comparison
        baseline, candidate = words.sides(comparison, case)
        where = words.context(comparison, case)
        rows.append(
            (
                comparison.axis,
                f"{candidate}/{baseline} {where}".strip(),
                words.measured(comparison),
                *words.largest(comparison),
                style.ruling(finding).plain,
            )
        )
    if rows:
        yield from table(("axis", "compared", "differ", "Δ", "ulp", "verdict"), rows)
    if len(telling) > ROWS:
        yield f"… and {len(telling) - ROWS:,} more that differ or were not compared\n"
    if same := len(case.findings) - len(telling):
        yield f"{same:,} of {len(case.findings):,} comparisons found the same bits.\n"


def _elements(case: CaseResult) -> Iterator[str]:
    """Yield the worst elements of the worst drift."""
    worst = worst_finding(case)
    if worst is None or worst.allowed:
        return
    comparison = plain.shortened(worst).comparison
    difference, exact = comparison.difference, comparison.exact
    if difference is None or difference.worst is None or exact is None:
        return
    found = difference.worst
    yield f"The worst elements of {_compared(case, worst)}:\n"
    yield from table(
        ("n,h,w,c", *words.sides(comparison, case), "Δ", "ulp", "exact"),
        (
            (
                ",".join(str(int(i)) for i in found.index[row]),
                decimal(found.baseline[row]),
                decimal(found.candidate[row]),
                delta(float(found.delta[row])),
                count(int(found.ulp[row])),
                decimal(exact[row]),
            )
            for row in range(len(found))
        ),
    )


def _details(case: CaseResult) -> Iterator[str]:
    """Yield why they differ, drift first; the same story is told once."""
    told = stories(
        [f for f in case.findings if f.verdict not in ("same", "untested") or not f.allowed]
    )
    for members in told[:DETAILS]:
        finding = members[0]
        summary = f"Why: {_compared(case, finding)}"
        more = f", and {len(members) - 1:,} more of the same" if len(members) > 1 else ""
        yield f"<details><summary>{summary}{more}</summary>\n"
        yield from block(plain.detail(case, finding))
        yield "</details>\n"
    if left := sum(map(len, told[DETAILS:])):
        yield f"… and {left:,} more that differ\n"


def _compared(case: CaseResult, finding: Finding) -> str:
    baseline, candidate = words.sides(finding.comparison, case)
    where = words.context(finding.comparison, case)
    return text(f"{finding.comparison.axis} {candidate} against {baseline} {where}".strip())


def _what_to_do(case: CaseResult) -> Iterator[str]:
    """Yield safe lengths and remedies as a list, and the suggested expectation to be copied."""
    many = len(case.runtimes) > 1
    for found in case.safe_lengths:
        if found.unsafe:
            where = f"{found.runtime}: " if many else ""
            yield f"- safe lengths: {text(where + words.safe(found))}"
    for remedy in case.remedies:
        yield f"- usually equal with {text(remedy)}"
    yield ""
    if case.suggested_expect is not None:
        lines = [
            f"  {axis}: {{ulps: {allowed.ulps}}}"
            if allowed.kind == "ulps"
            else f"  {axis}: {allowed.kind}"
            for axis, allowed in case.suggested_expect.items()
            if allowed != case.case.expect[axis]
        ]
        yield "Or accept it (checked: passes on these bits):\n"
        yield from block("\n".join(["expect:", *lines]), "yaml")


def _runtimes(standings: Sequence[Standing], case: CaseResult) -> Iterator[str]:
    numbers = {runtime: f"#{number} " for number, runtime in enumerate(case.runtimes, 1)}
    if len(case.runtimes) < 2:
        numbers = {}
    rows = [(f"{numbers.get(s.runtime, '')}{s.runtime.id}", fingerprint(s)) for s in standings]
    if rows:
        yield from table(("runtime", "what it is"), rows)
