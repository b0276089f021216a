"""--python, --require, --timeout: what is missing is said, and decides the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from program import Ran, case_file, convdiff

pytestmark = pytest.mark.framework

ZEROS = "filter: [0, 0, 0]\ninput: {normal: 1}\nlengths: [5, 6]\n"


def test_an_interpreter_without_a_framework_could_not_be_tested(bare_python: Path, tmp_path: Path):
    path = tmp_path / "report.json"
    ran = convdiff("run", "--lengths", "7,8", "--python", bare_python, "--json", path)
    assert ran.code == 125
    assert "is required: " in ran.err
    assert "No module named" in ran.err
    assert "No module named" in ran.out
    report = json.loads(path.read_text())
    assert report["outcome"] == "untested"
    assert {r["available"] for r in report["runtimes"]} == {False}
    assert all("No module named" in r["reason"] for r in report["runtimes"])
    assert report["cases"][0]["comparisons"] == []


def test_one_interpreter_without_a_framework_does_not_hide_the_other(bare_python: Path):
    pythons = ("--python", "this", "--python", bare_python)
    ran = convdiff("run", "--framework", "numpy", "--lengths", "7,8", *pythons, "-v")
    assert ran.code == 125
    assert "No module named" in ran.out
    assert "y(8) = " in ran.out


@pytest.fixture(scope="module")
def asked_for_a_gpu() -> Ran:
    ran = convdiff("run", "--device", "cpu,gpu", "--lengths", "7,8", "-v")
    if "tensorflow:gpu:" in ran.out:
        pytest.skip("there is a GPU here, so that nothing can be said of its absence")
    return ran


def test_a_missing_gpu_is_untested_and_does_not_fail_the_run(asked_for_a_gpu: Ran):
    assert asked_for_a_gpu.code == 0
    lines = asked_for_a_gpu.out.splitlines()
    (said,) = [line for line in lines if line.startswith("tensorflow:gpu")]
    assert "untested: " in said
    assert "gpu" in said.partition("untested")[2]


def test_a_missing_gpu_that_is_required_is_125(asked_for_a_gpu: Ran):
    """Whether or not the case asks for one."""
    ran = convdiff("run", "--device", "cpu", "--require", "gpu", "--lengths", "7,8", "-v")
    assert ran.code == 125
    assert "y(8) = " in ran.out
    assert "tensorflow:gpu is required: " in ran.out
    assert "is required" not in asked_for_a_gpu.out
    assert ran.out.splitlines()[-1].endswith("--device cpu --require gpu")
    *_, line = ran.err.splitlines()  # after the progress of a slow machine
    assert line.startswith("convdiff: tensorflow:gpu is required: ")


def test_a_framework_that_takes_longer_than_the_timeout_could_not_be_tested():
    ran = convdiff("run", "--lengths", "7,8", "--device", "cpu", "--timeout", "0.6")
    assert ran.code == 125
    assert "said nothing for 0.6 s" in ran.out


def test_an_interpreter_that_hangs_before_it_speaks_is_refused_after_the_timeout(tmp_path: Path):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    ran = convdiff("run", "--python", hanging, "--timeout", "0.5")
    assert (ran.code, ran.out) == (2, "")
    assert "said nothing for 0.5 s" in ran.err


def test_zeros_that_are_equal_are_no_success(tmp_path: Path):
    """Nothing is green when nothing was compared; equal zeros prove nothing."""
    path = tmp_path / "report.json"
    ran = convdiff("run", case_file(tmp_path, ZEROS), "--framework", "numpy", "--json", path)
    assert ran.code == 125
    verdicts = {c["verdict"] for c in json.loads(path.read_text())["cases"][0]["comparisons"]}
    assert verdicts == {"mistrusted"}
    assert "mistrusted" in ran.out
