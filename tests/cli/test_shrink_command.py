"""`convdiff shrink`: a small case and a script, or a line that says why there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from program import convdiff

LONG_NAME = """
import runpy

script = runpy.run_path("report.py")
script["main"].__globals__["SIDES"][0]["name"] = "n" * 30 + "19"
script["main"]()
"""
"""Prints both sides, one of them by a longer name."""


def test_the_origin_becomes_a_case_and_a_script(tf1_python: str, tmp_path: Path):
    asked = ["-o", "small.yaml", "--script", "report.py", "--python", tf1_python]
    ran = convdiff("shrink", *asked, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0].startswith("convdiff: tensorflow:cpu at lengths ")
    assert "rounding, order, proved by replay: 5 taps, 3 outputs before" in lines[0]
    assert lines[1].endswith("cases run; no single step makes it smaller")
    again = convdiff("run", "small.yaml", "--python", tf1_python, cwd=tmp_path)
    assert again.code == 1
    script = subprocess.run(
        [tf1_python, "report.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert script.returncode == 1, script.stderr
    assert "<- differ" in script.stdout
    assert script.stdout.endswith("\n1 of 2 outputs differ\n")
    assert "# /// script" in (tmp_path / "report.py").read_text()
    named = subprocess.run(
        [tf1_python, "-c", LONG_NAME], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    head, *rows, _ = named.stdout.splitlines()
    assert head.split() == ["n" * 30 + "19", *head.split()[1:]]
    assert head.startswith("n" * 30)
    assert {row.find("  ", 31) for row in rows} == {31}, "in columns"


def test_the_case_is_printed_where_no_file_is_named(tf1_python: str, tmp_path: Path):
    ran = convdiff("shrink", "--runs", "20", "--python", tf1_python, cwd=tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("# tensorflow:cpu at lengths ")
    assert "20 cases run; more --runs may find less" in ran.err


@pytest.mark.slow
def test_what_does_not_differ_exits_125(tmp_path: Path):
    (tmp_path / "whole.yaml").write_text("filter: [1, 2]\ninput: [1, 2, 3]\nlengths: [2, 3]\n")
    ran = convdiff("shrink", "whole.yaml", "--framework", "numpy", cwd=tmp_path)
    assert (ran.code, ran.out) == (125, "")
    assert ran.err == "convdiff: whole: nothing to shrink: no two of its runs differ\n"


def test_a_framework_that_is_missing_is_named(tmp_path: Path):
    ran = convdiff("shrink", "--framework", "nosuch", cwd=tmp_path)
    assert ran.code in (2, 125)
    assert "nosuch" in ran.err


def test_a_folder_that_is_not_there_is_refused_before_any_work(tmp_path: Path):
    ran = convdiff("shrink", "-o", "no/small.yaml", cwd=tmp_path)
    assert ran.code == 2
    assert "does not exist" in ran.err
