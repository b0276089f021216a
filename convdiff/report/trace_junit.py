"""A net in the JUnit report: a suite a net, a test a pair of its runs."""

from __future__ import annotations

from collections.abc import Iterator

from junitparser import Error, Failure, Skipped, SystemOut, TestCase, TestSuite

from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.model import PairTrace
from convdiff.report.junit_parts import DIGITS, Suite, clean, made_test, test_name
from convdiff.report.net_summary import TraceSummary
from convdiff.report.plain import trace_text
from convdiff.report.trace_names import cell_of


def net_suite(net: TraceSummary) -> TestSuite:
    """Return a net's suite."""
    result = net.result
    suite: TestSuite = Suite(net.name, result.case.file)
    for standing in result.standings:
        if not standing.available:
            reason = standing.reason or "it is not there"
            suite.add_testcase(
                made_test(net.name, standing.runtime.id, Skipped, "untested", reason)
            )
    tests = [_pair(net, number, pair) for number, pair in enumerate(result.pairs)]
    suite.add_testcases([*tests, *_whole(net)])
    suite.time = round(result.seconds, DIGITS)
    suite.append(SystemOut(clean(f"{result.outcome}: {net.headline}")))
    return suite


def _pair(net: TraceSummary, number: int, pair: PairTrace) -> TestCase:
    result, two = net.result, pair.pair
    several = len(result.case.batches) > 1
    name = test_name(two.axis, cell_of(two.baseline), cell_of(two.candidate), several=several)
    if number in result.drifting:
        message, text = net.headline, ""
        if pair.entered:
            message = f"enters at {', '.join(pair.entered)}"
        if number == result.shown:
            text = trace_text(net)
        return made_test(net.name, name, Failure, verdict_of(result, pair), message, text)
    if pair.reason:
        return made_test(net.name, name, Skipped, "untested", pair.reason)
    return made_test(net.name, name)


def _whole(net: TraceSummary) -> Iterator[TestCase]:
    """Yield a test for what is to be said of a net, and not of a pair."""
    outcome = net.result.outcome
    if outcome in ("untested", "error"):
        yield made_test(net.name, "the net as a whole", Error, outcome, net.headline)
