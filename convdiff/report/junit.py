"""The JUnit report, for the test views of CI servers: a suite a case, a test a comparison.

Where the exit code is not 0, at least one test has failed or has an error.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, Skipped, SystemOut, TestCase, TestSuite

from convdiff.case.words import few
from convdiff.diagnose.verdict import Finding, proves_nothing
from convdiff.report.detail import detail_of
from convdiff.report.groups import stories
from convdiff.report.headline import headline
from convdiff.report.junit_parts import DIGITS, Kind, Suite, clean, made_test, test_name
from convdiff.report.plain import ELEMENTS, advice_text, detail_text, failures_text
from convdiff.report.rules import rule_links, rule_names
from convdiff.report.sentences import reason
from convdiff.report.summary import CaseSummary, Summary
from convdiff.report.trace_junit import net_suite
from convdiff.result import CaseResult, Result

GENERAL = "convdiff"
"""The suite of what belongs to no case."""
DETAILS = 50
"""Drifting comparisons of a case that are told element by element, the largest."""


def render(summary: Summary) -> str:
    """Return the report as XML text."""
    suites = [_case_suite(case) for case in summary.cases]
    suites += [net_suite(net) for net in summary.nets]
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
    report.time = round(sum(one.result.seconds for one in summary.told), DIGITS)
    stream = io.BytesIO()
    report.write(stream)
    return stream.getvalue().decode() + "\n"


def _general(result: Result) -> Iterator[TestCase]:
    """Yield a test for each thing that belongs to no case."""
    for missing in result.missing_required:
        name = f"{missing.name} is required"
        yield made_test(GENERAL, name, Error, "untested", missing.reason or "it is not there")
    if result.unclaimed:
        message = f"no case claims {few(result.unclaimed)}"
        yield made_test(GENERAL, "all of the baseline", Skipped, "unclaimed", message)
    if result.unrecorded:
        yield made_test(GENERAL, "the recording", Error, "unrecorded", result.unrecorded)
    if result.ended:
        yield made_test(GENERAL, "the run", Error, "interrupted", f"{result.ended} before the end")
    elif result.is_empty:
        yield made_test(GENERAL, "the run", Error, "untested", "no case was run")


def _case_suite(case: CaseSummary) -> TestSuite:
    advice = "\n".join(filter(None, (*case.result.notes, advice_text(case))))
    tests = []
    for runtime in case.absent:
        tests.append(made_test(case.name, runtime.id, Skipped, "untested", runtime.reason))
    detailed = {id(group[0]) for group in stories(case.drifted)[:DETAILS]}
    for row in case.rows:
        evidence = reason(row.finding)
        if id(row) in detailed:
            evidence = detail_text(detail_of(case.result, row, ELEMENTS))
        tests.append(_comparison(case, row.finding, evidence, advice))
    tests += _whole(case)
    suite: TestSuite = Suite(case.name, case.result.case.file)
    for runtime in case.runtimes:
        suite.add_property(clean(runtime.id), clean(runtime.text))
    suite.add_testcases(tests)
    suite.time = round(case.result.seconds, DIGITS)
    answer = f"{case.result.outcome}: {case.headline}\n{advice}".strip()
    suite.append(SystemOut(clean(answer)))
    return suite


def _comparison(case: CaseSummary, finding: Finding, evidence: str, advice: str) -> TestCase:
    test = _name(case.result, finding)
    if not finding.allowed:
        rules = [f"{command}  {page}" for command, page in rule_links(rule_names(finding))]
        text = "\n\n".join(filter(None, (evidence, advice, "\n".join(rules))))
        answer = headline(case.result, [finding])
        made = made_test(case.name, test, Failure, finding.verdict, answer, text)
    elif proves_nothing(finding):
        made = made_test(case.name, test, Skipped, finding.verdict, reason(finding))
    else:
        made = made_test(case.name, test)
    made.time = round(finding.comparison.seconds, DIGITS)
    return made


def _whole(case: CaseSummary) -> Iterator[TestCase]:
    """Yield a test for each thing that is to be said of a case, and not of a comparison."""
    name, result = case.name, case.result
    if result.ended:
        yield made_test(name, "all cells are run", Error, "interrupted", case.progress)
    if result.unclaimed:
        message = f"the case does not ask for {few(result.unclaimed)}"
        yield made_test(name, "all of the baseline", Skipped, "unclaimed", message)
    if result.failures:
        first = result.failures[0].reason or "no reason given"
        message = f"{len(result.failures):,} without: {first}"
        kind: Kind = Error
        if result.outcome == "ok" and not result.died:
            kind = Skipped
        yield made_test(name, "every cell gives bits", kind, "", message, failures_text(case))
    if result.died:
        message = "a worker died, in a cell, a probe or an explanation"
        yield made_test(name, "no worker dies", Error, "died", message)
    if result.outcome == "drift" and not case.drifted:
        yield made_test(name, "the case as a whole", Failure, "drift", case.headline)
    elif result.outcome in ("untested", "error"):
        yield made_test(name, "the case as a whole", Error, result.outcome, case.headline)


def _name(case: CaseResult, finding: Finding) -> str:
    one = finding.comparison
    return test_name(one.axis, one.baseline, one.candidate, several=len(case.case.batches) > 1)
