"""The axis `exact` in reports: a line where it is rounding, all of it where it is drift."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from examined import RUNTIMES, examined
from findings import tensors
from kernels import Kernel, direct, ignoring_dilation, shuffled
from rich.console import Console

from convdiff.compare import against_exact
from convdiff.report import json, junit, markdown
from convdiff.report.commands import Commands
from convdiff.report.console.run import print_run
from convdiff.report.console.sweep import print_sweep
from convdiff.report.summary import Summary, summarise
from convdiff.result import Result
from convdiff.runtime.model import Standing
from convdiff.worker.ops.convolution import Convolution

CONV = Convolution((2, 3), 3, 4, dilations=(1, 2))
DATA = tensors(CONV, (1, 5, 12, 3), 1, bias=True)
WIDTH = 120


def summary(*kernels: Kernel) -> Summary:
    result, _ = examined(CONV, DATA, *kernels)
    standings = tuple(Standing(one, True, None, {}) for one in RUNTIMES[: len(kernels)])
    return summarise(Result(standings, (result,)), [Commands("convdiff run again")])


def printed(of: Summary, print_to=print_run, *, show_all: bool = False) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    print_to(console, of, show_all=show_all)
    return console.file.getvalue()  # type: ignore[attr-defined]


GREEN = ((direct,), (direct, direct), (direct, shuffled(1)))


@pytest.mark.parametrize("kernels", GREEN)
@pytest.mark.parametrize("print_to", [print_run, print_sweep])
def test_a_green_report_says_a_line_of_it(kernels: tuple[Kernel, ...], print_to):
    of = summary(*kernels)
    assert of.result.exit_code == 0
    lines = printed(of, print_to).splitlines()
    about = [line for line in lines if line.startswith("exact") or "against exact" in line]
    assert len(about) == 1


@pytest.mark.parametrize("kernels", GREEN[:2])
def test_where_all_is_equal_there_is_nothing_to_repeat_or_to_detail(kernels: tuple[Kernel, ...]):
    (case,) = summary(*kernels).cases
    assert (case.worst, case.is_repeated) == (None, False)
    assert case.headline == "; ".join(
        f"{axis}: bitwise equal" for axis in ("device", "reference")[2 - len(kernels) :]
    )


def test_all_shows_each_runtime_and_its_elements():
    text = printed(summary(direct, direct), show_all=True)
    assert text.count("conv2d/exact") == 2
    assert text.count("conv2d against exact") == 2


def test_one_line_of_markdown_stands_for_all_runtimes():
    text = markdown.render(summary(direct, direct))
    assert text.count("| exact |") == 1
    assert "2 in all" in text


def test_drift_is_told_in_every_report():
    of = summary(ignoring_dilation)
    words = "equal, and both ignore the dilation: wrong"
    assert of.cases[0].headline.startswith(words)
    for text in (printed(of), printed(of, print_sweep), markdown.render(of), junit.render(of)):
        assert words in " ".join(text.split())
    assert of.cases[0].drifting is not None


def test_the_json_report_has_it_as_a_comparison():
    (case,) = json.report(summary(direct, ignoring_dilation).result)["cases"]
    rows = [one for one in case["comparisons"] if one["axis"] == "exact"]
    assert [row["verdict"] for row in rows] == ["rounding", "wrong"]
    for row in rows:
        assert (row["baseline"]["op"], row["candidate"]["op"]) == ("exact", "conv2d")
        assert row["baseline"]["runtime"] == row["candidate"]["runtime"]
        assert row["explanation"]["status"] == "not_needed"
        assert (row["sampled_of"], row["elements"]) == (None, 1 * 4 * 8 * 4)
        assert row["elements_shown"][0]["exact"] == row["elements_shown"][0]["baseline"]


def test_a_sample_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(against_exact, "WHOLE", 100)
    monkeypatch.setattr("convdiff.compare.some_outputs.MOST", 70)
    of = summary(direct)
    assert "/70 of 128" in printed(of)
    assert "at 70 of 128 outputs" in printed(of, print_sweep)
    assert "at 70 of 128 outputs" in printed(of, show_all=True)
    (case,) = json.report(of.result)["cases"]
    (row,) = [one for one in case["comparisons"] if one["axis"] == "exact"]
    assert (row["sampled_of"], row["elements"]) == (128, 70)


def test_an_allowed_mistake_is_said():
    of = summary(ignoring_dilation)
    (case,) = of.result.cases
    findings = tuple(replace(one, allowed=True) for one in case.findings)
    allowed = summarise(Result((), (replace(case, findings=findings),)), [Commands("again")])
    assert allowed.cases[0].headline == "reference: bitwise equal; exact: wrong"


def test_a_cell_without_bits_is_told_of_once():
    of = summary(direct, lambda conv, data: None)
    assert "exact" not in of.cases[0].headline


def test_a_table_against_the_exact_result_has_it_once():
    text = printed(summary(direct), show_all=True)
    heads = [line for line in text.splitlines() if line.startswith("n,h,w,c")]
    against = [line for line in heads if line.split()[1] == "exact"]
    assert against and all(line.count("exact") == 1 for line in heads)
