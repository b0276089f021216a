"""The JUnit report: what CI servers read, and never greener or redder than the exit code."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import junitparser
import made
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from program import Ran, convdiff

from convdiff.diagnose.verdict import Finding
from convdiff.pipeline import with_runs
from convdiff.plan.cell import Failure
from convdiff.report import junit
from convdiff.report.plain import detail_text
from convdiff.result import Result

SCHEMA = etree.XMLSchema(file=str(Path(__file__).with_name("junit-10.xsd")))
"""Jenkins' xunit-plugin reads by it. This copy is from pytest 9.2.0's source distribution on PyPI
(testing/example_scripts/junit-10.xsd), unchanged; MIT, its notice is inside."""


def parsed(text: str) -> Any:
    """Return the root of a report that the schema allows, and that counts its own tests right."""
    root = etree.fromstring(text.encode())
    SCHEMA.assertValid(root)
    for suite in (root, *root):
        for count, path in (
            ("tests", ".//testcase"),
            ("failures", ".//testcase/failure"),
            ("errors", ".//testcase/error"),
        ):
            assert int(suite.get(count)) == len(suite.findall(path))
    for suite in root:
        names = [test.get("name") for test in suite.iterfind("testcase")]
        assert len(set(names)) == len(names)
        assert {test.get("classname") for test in suite.iterfind("testcase")} <= {suite.get("name")}
    return root


def bad(root: Any) -> list[Any]:
    return root.findall(".//failure") + root.findall(".//error")


@pytest.fixture(scope="module")
def suite(together: tuple[Ran, Path]) -> Any:
    """Return the only suite of a real run."""
    (suite,) = parsed((together[1] / "all.xml").read_text("utf-8"))
    return suite


@pytest.mark.slow
def test_a_test_a_comparison(suite: Any, report: dict[str, Any]):
    (case,) = report["cases"]
    tests = [test for test in suite.iterfind("testcase") if " against " in test.get("name")]
    assert len(tests) == len(case["comparisons"])
    for test, comparison in zip(tests, case["comparisons"], strict=True):
        assert test.get("name").startswith(comparison["axis"] + " ")
        assert (test.find("failure") is None) == comparison["allowed"]
    assert (suite.get("name"), suite.get("file")) == (case["name"], case["file"])


def test_names_say_axis_sides_and_what_they_share(suite: Any):
    names = {test.get("name") for test in suite.iterfind("testcase")}
    rows, pairs = (f"adding:convolution:cpu[ORDER={order}]" for order in ("rows", "pairs"))
    assert f"length T=56 against T=60, {rows}" in names
    assert f"runtime {pairs} against {rows}, T=56" in names
    assert f"runtime {pairs} against {rows}, T=56, manual" in names
    assert f"reference conv2d against manual, T=60, {pairs}" in names


def test_a_failure_says_verdict_size_cause_elements_orders_and_what_to_do(
    suite: Any, report: dict[str, Any]
):
    drift = [c for c in report["cases"][0]["comparisons"] if not c["allowed"]]
    failures = suite.findall(".//failure")
    assert len(failures) == len(drift) > 0
    for failure, comparison in zip(failures, drift, strict=True):
        assert failure.get("type") == "rounding"
        message = failure.get("message")
        assert "rounding, proved: " in message
        assert f"|Δ| ≤ {comparison['max_abs']:.8e}" in message
        for cause in comparison["explanation"]["cause"]:
            assert cause in message
        lines = failure.text.splitlines()
        index = ",".join(map(str, comparison["elements_shown"][0]["index"]))
        assert sum(line.startswith(index) for line in lines) == 1
        for word in ("  why ", "  cause ", "  splits ", "  right ", "or accept it "):
            assert any(line.startswith(word) for line in lines), word
        for order in comparison["explanation"]["orders"]:
            assert order["notation"] in failure.text
        assert "\x1b" not in failure.text


def test_runtimes_are_properties_and_an_absent_one_is_skipped(suite: Any, report: dict[str, Any]):
    found = {each.get("name"): each.get("value") for each in suite.iterfind("properties/property")}
    assert set(found) == {runtime["id"] for runtime in report["runtimes"]}
    assert all(" " in value for value in found.values())
    skipped = {test.getparent().get("name") for test in suite.iterfind("testcase/skipped")}
    assert skipped == {r["id"] for r in report["runtimes"] if not r["available"]}


def test_notes_are_said(suite: Any):
    assert "drift: the bits change with the runtime" in suite.findtext("system-out")
    result = made.result_of(made.case_of([made.drifted()], notes=("another CPU",)))
    root = parsed(junit.render(made.summary_of(result)))
    for said in (root.findtext(".//system-out"), root.findtext(".//failure")):
        assert "another CPU" in said.splitlines()


@pytest.mark.parametrize("ending", made.ENDINGS)
def test_what_exits_with_an_error_is_never_green(ending: str):
    result = made.ENDINGS[ending]
    assert result.exit_code != 0
    assert bad(parsed(junit.render(made.summary_of(result))))


@pytest.mark.parametrize("ending", made.FINE)
def test_what_exits_with_0_is_never_red(ending: str):
    result = made.FINE[ending]
    assert result.exit_code == 0
    assert not bad(parsed(junit.render(made.summary_of(result))))


FINDINGS = st.lists(
    st.sampled_from([made.same(), made.untested(), made.same("reference", verdict="mistrusted")]),
    unique_by=id,
)
FAILURES = st.lists(
    st.sampled_from([made.failed(), made.failed(op="manual"), made.failed(died=True)])
)


@pytest.mark.slow
@given(FINDINGS, st.booleans(), FAILURES, st.booleans(), st.booleans(), st.booleans())
def test_green_is_exit_code_0_whatever_happens(
    findings: list[Finding],
    drift: bool,
    failures: list[Failure],
    died: bool,
    missing: bool,
    interrupted: bool,
):
    found = [*findings, *([made.drifted()] if drift else [])]
    died = died or any(failure.died for failure in failures)
    case = made.case_of(
        found, failures=tuple(failures), died=died, interrupted=interrupted, name="it"
    )
    gone = (made.GONE,) if missing else ()
    result = made.result_of(
        made.FINE["same"].cases[0],
        case,
        missing_required=gone,
        signal=signal.SIGINT if interrupted else 0,
    )
    assert (result.exit_code == 0) == (not bad(parsed(junit.render(made.summary_of(result)))))


def test_a_changed_order_fails_though_the_bits_are_the_same():
    (failure,) = parsed(junit.render(made.summary_of(made.ENDINGS["a changed order"]))).findall(
        ".//failure"
    )
    assert failure.get("type") == "same"


@pytest.mark.parametrize("ending", ["cells without bits", "a worker died in a cell"])
def test_a_cell_without_bits_is_an_error_with_the_reason(ending: str):
    root = parsed(junit.render(made.summary_of(made.ENDINGS[ending])))
    (error,) = root.findall(".//testcase[@name='every cell gives bits']/error")
    assert error.get("message") == "1 without: out of memory"
    assert "tensorflow:cpu[TF_X=1] conv2d T=7" in error.text


def test_what_proves_nothing_is_skipped_with_the_reason():
    root = parsed(junit.render(made.summary_of(made.FINE["a side untested"])))
    (skipped,) = root.findall(".//skipped")
    assert skipped.get("message") == "the framework refused"
    lock = made.case_of([made.same(lock="unproved", evidence=("not proved",))])
    (skipped,) = parsed(junit.render(made.summary_of(made.result_of(lock)))).findall(".//skipped")
    assert skipped.get("message") == "not proved"


def test_a_missing_framework_is_an_error(tmp_path: Path, bare_python: Path):
    ran = convdiff("run", "--python", bare_python, "--junit", tmp_path / "junit.xml")
    assert ran.code == 125
    root = parsed((tmp_path / "junit.xml").read_text())
    assert any("No module named" in (error.get("message") or "") for error in bad(root))


def test_two_cases_of_one_name_stay_two_suites():
    result = made.result_of(made.case_of([made.same()]), made.case_of([made.drifted()]))
    assert [suite.get("tests") for suite in parsed(junit.render(made.summary_of(result)))] == [
        "1",
        "1",
    ]


def test_nothing_that_a_text_holds_breaks_the_xml():
    root = parsed(junit.render(made.summary_of(made.nasty())))
    assert root[0].get("name").startswith("a|b `c` ``` <img src=x>")
    assert "\x1b" not in root.findtext(".//failure")


def test_the_parser_beneath_makes_no_difference(monkeypatch: pytest.MonkeyPatch):
    """The library writes with lxml where it is installed, and with Python's own where not."""
    results = [*made.ENDINGS.values(), *made.FINE.values()]
    with_lxml = [junit.render(made.summary_of(result)) for result in results]
    monkeypatch.setattr("junitparser.junitparser.etree", ElementTree)
    without = [junit.render(made.summary_of(result)) for result in (*results, made.nasty())]
    for one, other in zip(with_lxml, without, strict=False):
        assert ElementTree.canonicalize(one) == ElementTree.canonicalize(other)
    parsed(without[-1])


def test_the_library_reads_it_back():
    report = junitparser.JUnitXml.fromstring(
        junit.render(made.summary_of(made.ENDINGS["drift"])).encode()
    )
    (suite,) = report
    assert [test.is_passed for test in suite] == [True, False]


def many(count: int) -> Result:
    return made.result_of(made.case_of([made.drifted(length) for length in range(10, 10 + count)]))


@pytest.mark.slow
def test_ten_thousand_comparisons_take_seconds(monkeypatch: pytest.MonkeyPatch):
    """Telling one in full takes 15 ms, so the largest are; the rest names its evidence."""
    told = []
    monkeypatch.setattr(junit, "detail_text", lambda one: told.append(1) or detail_text(one))
    start = time.monotonic()
    root = parsed(junit.render(made.summary_of(many(10_000))))
    assert time.monotonic() - start < 30
    assert len(told) == junit.DETAILS
    failures = root.findall(".//failure")
    assert len(failures) == 10_000
    assert all("0.1 of the usual" in failure.text for failure in failures)


def test_elements_are_the_worst_ones_however_many_were_asked_for():
    finding = made.drifted(elements=100)
    root = parsed(junit.render(made.summary_of(made.result_of(made.case_of([replace(finding)])))))
    lines = root.findtext(".//failure").splitlines()
    assert sum(line.startswith("0,0,") for line in lines) == 10
    assert any("90 more" in line for line in lines)


SLOW = """
import time
import numpy as np
slow = {6: 1.0}
def conv2d(x, w, b=None):
    time.sleep(slow.pop(x.shape[2], 0))
    return (x[:, :, : x.shape[2] - 1] * w[0, 0, 0, 0] + x[:, :, 1:] * w[0, 1, 0, 0]).astype(x.dtype)
"""


@pytest.mark.slow
def test_times_are_those_of_the_runs_and_of_what_was_measured(tmp_path: Path):
    """A run that takes long is the time of the first comparison that needs it, and of no other."""
    (tmp_path / "slow.py").write_text(SLOW, "utf-8")
    text = "filter: [1.5, 2.0]\ninput: {normal: 1, seed: 1}\nlengths: [6, 7, 8]\n"
    (tmp_path / "case.yaml").write_text(text, "utf-8")
    convdiff("run", "case.yaml", "--kernel", "slow:conv2d", "--junit", "j.xml", cwd=tmp_path)
    root = parsed((tmp_path / "j.xml").read_text("utf-8"))
    times = {test.get("name"): float(test.get("time")) for test in root.iter("testcase")}
    first = "length T=6 against T=8, slow:conv2d:cpu"
    assert times[first] >= 0.5, "the parent may begin to wait a little after the run began"
    assert all(seconds < 0.5 for name, seconds in times.items() if name != first)
    (suite,) = root
    assert float(suite.get("time")) >= sum(times.values()) - 0.01
    assert float(root.get("time")) == float(suite.get("time")) > 0.5


def test_runs_are_told_once_and_add_up():
    cells = [replace(made.CELL, length=length) for length in (7, 8, 9)]
    one, other = made.drifted(7).comparison, made.same().comparison
    timed = with_runs(
        [replace(one, seconds=0.5), other, other], dict(zip(cells, (1, 2, 4), strict=True))
    )
    assert [comparison.seconds for comparison in timed] == [5.5, 2, 0]
