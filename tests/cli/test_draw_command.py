"""The short report's command that draws orders: it explains what the report is about."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made import case_of, drifted
from program import KERNEL, case_file, convdiff, kernel_file

from convdiff.case.override import vary
from convdiff.cli.explain import command as explain
from convdiff.cli.explain_command import explain_command
from convdiff.cli.explain_options import asked_of
from convdiff.cli.options import Options, options_of
from convdiff.cli.run import command as run
from convdiff.diagnose.cause import Explanation
from convdiff.plan.expand import expand
from convdiff.result import CaseResult
from convdiff.runtime.model import Runtime

WHY = Explanation("proved", {}, 0, {}, (), None, ())
ASKED = [
    [],
    ["--batch", "1,8"],
    ["--threads", "1,2"],
    ["--threads", "3"],
    ["--framework", "torch,jax"],
    ["--framework", "torch:cpu+channels_last,torch:cpu"],
    ["--device", "gpu"],
    ["--kernel", "mine:conv2d", "--vary", "ORDER=rows,a b"],
    ["--kernel", "mine:conv2d", "--framework", "numpy"],
    ["--python", "/usr/bin/env", "--python", "this", "--vary", "TF_X=1"],
    ["--lengths", "5,6"],
]


def options_from(words: list[str]) -> Options:
    return options_of(dict(run.make_context("run", words).params))


def runtimes_of(options: Options, case: CaseResult) -> list[Runtime]:
    inner = options.interpreters()
    return [Runtime(one, device) for one in inner for device in one.devices_of(case.case.devices)]


def results(options: Options) -> list[tuple[CaseResult, list[Runtime]]]:
    """Return a case that drifts along each axis that there is, with the runtimes of both sides."""
    case = case_of([])
    case = replace(case, case=vary(case.case, options.lengths, options.batch, options.device))
    runtimes = runtimes_of(options, case)
    made = {}
    for pair in reversed(expand(case.case, runtimes).pairs):
        finding = drifted(why=WHY)
        sides = {"baseline": pair.baseline, "candidate": pair.candidate}
        comparison = replace(finding.comparison, axis=pair.axis, **sides)
        both = list(dict.fromkeys([pair.baseline.runtime, pair.candidate.runtime]))
        findings = (replace(finding, comparison=comparison),)
        made[pair.axis] = (replace(case, findings=findings), both)
    return list(made.values())


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_it_asks_for_both_sides_and_nothing_else(words: list[str]):
    options = options_from(words)
    told = 0
    for case, runtimes in results(options):
        line = explain_command(case, options)
        comparison = case.findings[0].comparison
        kernel_elsewhere = any(
            one.interpreter.framework in options.kernel and one.device.kind != "cpu"
            for one in runtimes
        )
        if comparison.axis in ("reference", "exact") or kernel_elsewhere:
            assert line == ""
            continue
        told += 1
        program, name, *rest = shlex.split(line)
        assert (program, name) == ("convdiff", "explain")
        values = dict(explain.make_context("explain", rest).params)
        assert values.pop("case") == Path("made.yaml")
        asked = asked_of(values)
        loaded = case_of([]).case
        chosen, wanted = asked.case(loaded), asked.wanted(loaded)
        again = [
            Runtime(i, d)
            for i in asked.options.interpreters()
            for d in i.devices_of(chosen.devices)
        ]
        cells = (comparison.baseline, comparison.candidate)
        assert len(again) == len(runtimes)
        for one, other in zip(again, runtimes, strict=True):
            unlabelled = (replace(x.interpreter, label="") for x in (one, other))
            assert next(unlabelled) == next(unlabelled) and one.device == other.device
        assert set(wanted.lengths) == {cell.length for cell in cells}
        assert set(wanted.batches) == {cell.batch for cell in cells}
    assert told


def test_there_is_none_where_no_order_is_known_or_a_side_is_recorded():
    options = options_from([])
    case, _ = results(options)[0]
    (finding,) = case.findings
    assert explain_command(replace(case, findings=(replace(finding, why=None),)), options) == ""
    was = finding.comparison.baseline
    was = replace(was, runtime=replace(was.runtime, origin="old.json"))
    comparison = replace(finding.comparison, baseline=was, axis="baseline")
    finding = replace(finding, comparison=comparison)
    assert explain_command(replace(case, findings=(finding,)), options) == ""


DRIFTING = """
filter: {normal: 1, shape: [1, 5, 1, 1], seed: 1}
input: {normal: 1, seed: 3}
lengths: [56, 60]
expect: {runtime: bitwise}
"""


@pytest.mark.slow
def test_what_is_printed_explains_the_difference(tmp_path: Path):
    kernel_file(tmp_path)
    case = case_file(tmp_path, DRIFTING)
    python = ("--python", sys.executable)
    ran = convdiff("run", case, *KERNEL, "--vary", "ORDER=rows,pairs", *python, cwd=tmp_path)
    (line,) = (one for one in ran.out.splitlines() if one.startswith("  draw"))
    words = shlex.split(line)[2:]
    told = convdiff(*words, cwd=tmp_path)
    assert told.code == 0
    assert "ORDER=rows" in told.out and "ORDER=pairs" in told.out
