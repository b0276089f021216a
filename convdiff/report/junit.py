"""The JUnit report, for the test views of CI servers: a suite a case, a test a comparison.

Where the exit code is not 0, at least one test has failed or has an error.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from junitparser import Attr, Error, Failure, JUnitXml, Skipped, SystemOut, TestCase, TestSuite

from convdiff.case.axes import AXES, Axis, filters
from convdiff.diagnose.verdict import Finding, proves_nothing
from convdiff.plan.cell import Cell
from convdiff.report.detail import detail_of
from convdiff.report.groups import stories
from convdiff.report.headline import headline
from convdiff.report.plain import ELEMENTS, advice_text, detail_text, failures_text
from convdiff.report.rules import rule_links, rule_names
from convdiff.report.sentences import few, reason
from convdiff.report.summary import CaseSummary, Summary
from convdiff.result import CaseResult, Result

Kind = type[Failure] | type[Error] | type[Skipped]

INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""
GENERAL = "convdiff"
"""The suite of what belongs to no case."""
DIGITS = 3
"""Of a second, as the schema of JUnit's readers has it."""
DETAILS = 50
"""Drifting comparisons of a case that are told element by element, the largest."""


class Suite(TestSuite):
    """A suite that names its case's file."""

    file = Attr()

    def __init__(self, name: str, file: str = "") -> None:
        super().__init__(_clean(name))
        if file:
            self.file = _clean(file)


def render(summary: Summary) -> str:
    """Return the report as XML text."""
    suites = [_case_suite(case) for case in summary.cases]
    general = list(_general(summary.result))
    if general:
        suites.append(Suite(GENERAL))
        suites[-1].add_testcases(general)
    report = JUnitXml(GENERAL)
    for suite in suites:
        report.append(suite)  # add_testsuite would make one suite of two cases of one name
    report.tests = sum(suite.tests for suite in suites)
    report.failures = sum(suite.failures for suite in suites)
    report.errors = sum(suite.errors for suite in suites)
    report.time = round(summary.result.seconds, DIGITS)
    stream = io.BytesIO()
    report.write(stream)
    return stream.getvalue().decode() + "\n"


def _general(result: Result) -> Iterator[TestCase]:
    """Yield a test for each thing that belongs to no case."""
    for missing in result.missing_required:
        name = f"{missing.name} is required"
        yield _test(GENERAL, name, Error, "untested", missing.reason or "it is not there")
    if result.unclaimed:
        message = f"no case claims {few(result.unclaimed)}"
        yield _test(GENERAL, "all of the baseline", Skipped, "unclaimed", message)
    if result.unrecorded:
        yield _test(GENERAL, "the recording", Error, "unrecorded", result.unrecorded)
    if result.ended:
        yield _test(GENERAL, "the run", Error, "interrupted", f"{result.ended} before the end")
    elif not result.cases:
        yield _test(GENERAL, "the run", Error, "untested", "no case was run")


def _case_suite(case: CaseSummary) -> TestSuite:
    advice = "\n".join(filter(None, (*case.result.notes, advice_text(case))))
    tests = [
        _test(case.name, runtime.id, Skipped, "untested", runtime.reason)
        for runtime in case.runtimes
        if not runtime.available
    ]
    drifting = stories(row for row in case.rows if not row.finding.allowed)
    detailed = {id(group[0]) for group in drifting[:DETAILS]}
    for row in case.rows:
        detail = detail_of(case.result, row, ELEMENTS) if id(row) in detailed else None
        evidence = reason(row.finding) if detail is None else detail_text(detail)
        tests.append(_comparison(case, row.finding, evidence, advice))
    tests += _whole(case)
    suite: TestSuite = Suite(case.name, case.result.case.file)
    for runtime in case.runtimes:
        suite.add_property(_clean(runtime.id), _clean(runtime.text))
    suite.add_testcases(tests)
    suite.time = round(case.result.seconds, DIGITS)
    answer = f"{case.result.outcome}: {case.headline}\n{advice}".strip()
    suite.append(SystemOut(_clean(answer)))
    return suite


def _comparison(case: CaseSummary, finding: Finding, evidence: str, advice: str) -> TestCase:
    test = _name(case.result, finding)
    if not finding.allowed:
        rules = [f"{command}  {page}" for command, page in rule_links(rule_names(finding))]
        text = "\n\n".join(filter(None, (evidence, advice, "\n".join(rules))))
        answer = headline(case.result, [finding])
        made = _test(case.name, test, Failure, finding.verdict, answer, text)
    elif proves_nothing(finding):
        made = _test(case.name, test, Skipped, finding.verdict, reason(finding))
    else:
        made = _test(case.name, test)
    made.time = round(finding.comparison.seconds, DIGITS)
    return made


def _whole(case: CaseSummary) -> Iterator[TestCase]:
    """Yield a test for each thing that is to be said of a case, and not of a comparison."""
    name, result = case.name, case.result
    if result.ended:
        yield _test(name, "all cells are run", Error, "interrupted", case.progress)
    if result.unclaimed:
        message = f"the case does not ask for {few(result.unclaimed)}"
        yield _test(name, "all of the baseline", Skipped, "unclaimed", message)
    if result.failures:
        harmless = result.outcome == "ok" and not result.died
        first = result.failures[0].reason or "no reason given"
        message = f"{len(result.failures):,} without: {first}"
        kind: Kind = Skipped if harmless else Error
        yield _test(name, "every cell gives bits", kind, "", message, failures_text(case))
    if result.died:
        message = "a worker died, in a cell, a probe or an explanation"
        yield _test(name, "no worker dies", Error, "died", message)
    if result.outcome == "drift" and all(finding.allowed for finding in result.findings):
        yield _test(name, "the case as a whole", Failure, "drift", case.headline)
    elif result.outcome in ("untested", "error"):
        yield _test(name, "the case as a whole", Error, result.outcome, case.headline)


def _name(case: CaseResult, finding: Finding) -> str:
    """Name a comparison by its axis, its sides and all that they share: the same in every run."""
    comparison = finding.comparison
    axis, cell = comparison.axis, comparison.candidate
    sides = f"{_side(cell, axis)} against {_side(comparison.baseline, axis)}"
    shared = [] if axis == "length" else [_length(cell, comparison.baseline)]
    if axis != "batch" and (len(case.case.batches) > 1 or cell.batch > 1):
        shared.append(f"batch {cell.batch}")
    if axis != "channels" and cell.channels:
        shared.append(filters(cell.channels))
    if AXES[axis].side is not None:
        shared.append(cell.runtime.id)
    if axis != "reference" and cell.is_reference:
        shared.append(cell.op)
    return ", ".join((f"{axis} {sides}", *shared))


def _length(cell: Cell, baseline: Cell) -> str:
    unlike = f" against T={baseline.length}" if baseline.length != cell.length else ""
    return f"T={cell.length}{unlike}"


def _side(cell: Cell, axis: Axis) -> str:
    side = AXES[axis].side
    return cell.runtime.id if side is None else side(cell)


def _test(
    suite: str,
    name: str,
    kind: Kind | None = None,
    type_: str = "",
    message: str = "",
    text: str = "",
) -> TestCase:
    test = TestCase(_clean(name), _clean(suite))
    if kind is not None:
        ending = kind(_clean(message), type_)
        ending.text = _clean(text)
        test.append(ending)
    return test


def _clean(text: str) -> str:
    return INVALID.sub("\N{REPLACEMENT CHARACTER}", text)
