"""The JUnit report, for the test views of CI servers: a suite a case, a test a comparison.

Where the exit code is not 0, at least one test has failed or has an error.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from junitparser import Attr, Error, Failure, JUnitXml, Skipped, SystemOut, TestCase, TestSuite

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.verdict import Finding, proves_nothing
from convdiff.plan.cell import Cell
from convdiff.report import plain
from convdiff.report.console.alike import stories
from convdiff.report.console.headline import headline
from convdiff.report.runtime_line import fingerprint
from convdiff.result import CaseResult, Result

Kind = type[Failure] | type[Error] | type[Skipped]

INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""
GENERAL = "convdiff"
"""The suite of what belongs to no case."""
DETAILS = 50
"""Drifting comparisons of a case that are told element by element, the largest."""


class Suite(TestSuite):
    """A suite that names its case's file."""

    file = Attr()

    def __init__(self, name: str, file: str = "") -> None:
        super().__init__(_clean(name))
        if file:
            self.file = _clean(file)


def render(result: Result) -> str:
    """Return the report as XML text."""
    suites = [_case_suite(result, case) for case in result.cases]
    if general := list(_general(result)):
        suites.append(Suite(GENERAL))
        suites[-1].add_testcases(general)
    report = JUnitXml(GENERAL)
    for suite in suites:
        report.append(suite)  # add_testsuite would make one suite of two cases of one name
    report.tests = sum(suite.tests for suite in suites)
    report.failures = sum(suite.failures for suite in suites)
    report.errors = sum(suite.errors for suite in suites)
    stream = io.BytesIO()
    report.write(stream)
    return stream.getvalue().decode() + "\n"


def _general(result: Result) -> Iterator[TestCase]:
    """Yield a test for each thing that belongs to no case."""
    for missing in result.missing_required:
        name = f"{missing.runtime.id} is required"
        yield _test(GENERAL, name, Error, "untested", missing.reason or "it is not there")
    if result.unclaimed:
        said = f"no case claims {plain.few(result.unclaimed)}"
        yield _test(GENERAL, "all of the baseline", Skipped, "unclaimed", said)
    if result.unrecorded:
        yield _test(GENERAL, "the recording", Error, "unrecorded", result.unrecorded)
    if result.interrupted:
        yield _test(GENERAL, "the run", Error, "interrupted", "interrupted before the end")
    elif not result.cases:
        yield _test(GENERAL, "the run", Error, "untested", "no case was run")


def _case_suite(result: Result, case: CaseResult) -> TestSuite:
    name, standings = case.case.name, plain.standings_of(result, case)
    advice = "\n".join(filter(None, (*case.notes, plain.what_to_do(case))))
    tests = [
        _test(name, standing.runtime.id, Skipped, "untested", standing.reason or "")
        for standing in standings
        if not standing.available
    ]
    drifted = stories([finding for finding in case.findings if not finding.allowed])
    detailed = {id(members[0]) for members in drifted[:DETAILS]}
    for finding in case.findings:
        evidence = plain.detail(case, finding) if id(finding) in detailed else ""
        tests.append(_comparison(case, finding, evidence, advice))
    tests += _whole(case)
    suite: TestSuite = Suite(name, case.case.file)
    for standing in standings:
        suite.add_property(_clean(standing.runtime.id), _clean(fingerprint(standing)))
    suite.add_testcases(tests)
    said = f"{case.outcome}: {headline(case)}\n{advice}".strip()
    suite.append(SystemOut(_clean(said)))
    return suite


def _comparison(case: CaseResult, finding: Finding, evidence: str, advice: str) -> TestCase:
    name, test = case.case.name, _name(case, finding)
    if not finding.allowed:
        text = "\n\n".join(filter(None, (evidence or plain.reasons(finding), advice)))
        return _test(name, test, Failure, finding.verdict, plain.sentence(case, [finding]), text)
    if proves_nothing(finding):
        return _test(name, test, Skipped, finding.verdict, plain.reasons(finding))
    return _test(name, test)


def _whole(case: CaseResult) -> Iterator[TestCase]:
    """Yield a test for each thing that is to be said of a case, and not of a comparison."""
    name = case.case.name
    if case.interrupted:
        far = f"{case.done:,} of {case.cells:,} cells were run"
        yield _test(name, "all cells are run", Error, "interrupted", f"interrupted: {far}")
    if case.unclaimed:
        said = f"the case does not ask for {plain.few(case.unclaimed)}"
        yield _test(name, "all of the baseline", Skipped, "unclaimed", said)
    if case.failures:
        harmless = case.outcome == "ok" and not case.died
        text = plain.failures(case)
        said = f"{len(case.failures):,} without: {case.failures[0].reason or 'no reason given'}"
        yield _test(name, "every cell gives bits", Skipped if harmless else Error, "", said, text)
    if case.died:
        said = "a worker died, in a cell, a probe or an explanation"
        yield _test(name, "no worker dies", Error, "died", said)
    if case.outcome == "drift" and all(finding.allowed for finding in case.findings):
        yield _test(name, "the case as a whole", Failure, "drift", headline(case))
    elif case.outcome in ("untested", "error"):
        yield _test(name, "the case as a whole", Error, case.outcome, headline(case))


def _name(case: CaseResult, finding: Finding) -> str:
    """Name a comparison by its axis, its sides and all that they share: the same in every run."""
    comparison = finding.comparison
    axis, cell = comparison.axis, comparison.candidate
    sides = f"{_side(cell, axis)} against {_side(comparison.baseline, axis)}"
    shared = [f"T={cell.length}"] if axis != "length" else []
    if axis != "length" and comparison.baseline.length != cell.length:
        shared = [f"T={cell.length} against T={comparison.baseline.length}"]
    if axis != "batch" and (len(case.case.batches) > 1 or cell.batch > 1):
        shared.append(f"batch {cell.batch}")
    if AXES[axis].side is not None:
        shared.append(cell.runtime.id)
    if axis != "reference" and cell.is_reference:
        shared.append(cell.op)
    return ", ".join((f"{axis} {sides}", *shared))


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
