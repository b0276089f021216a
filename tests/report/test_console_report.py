"""The report that people read: it fits, it says what it leaves out, it can be repeated."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import COMMAND, Ran, case_file, convdiff, environment

from convdiff.report.numbers import decimal

SIDES = ("baseline", "candidate")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def plain(text: str) -> str:
    return ESCAPE.sub("", text)


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Return each element table: the line above its header, and its rows."""
    found, lines = [], plain(text).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("n,h,w,c"):
            rows = []
            for row in lines[number + 1 :]:
                if not re.match(r"\d+,\d+,\d+,\d+ ", row):
                    break
                rows.append(row)
            found.append((lines[number - 1], rows))
    return found


@pytest.mark.slow
def test_the_answer_is_the_first_line(drift: Ran):
    first = drift.out.splitlines()[0]
    assert first.startswith("DRIFT")
    assert "many-elements" in first


def test_piped_output_has_no_escapes(drift: Ran):
    assert "\x1b" not in drift.out


@pytest.mark.slow
def test_80_columns_are_enough(drift: Ran, coloured: Ran):
    for text in (drift.out, plain(coloured.out)):
        lines = text.splitlines()
        assert lines[-1].startswith("again: ")
        assert max(map(len, lines[:-1])) <= 80
    assert not any(line != line.rstrip() for line in drift.out.splitlines())


def test_ten_worst_and_how_many_more(drift: Ran, report: dict[str, Any]):
    tables = blocks(drift.out)
    assert tables
    counts = [int(n) for n in re.findall(r"… and (\d+) more elements differ; -vv", drift.out)]
    differing = [c["differing"] for c in report["cases"][0]["comparisons"] if c["differing"] > 10]
    assert len(counts) == len(tables)
    for (_, rows), left in zip(tables, counts, strict=True):
        assert len(rows) == 10
        assert left + 10 in differing


def test_all_shows_all(coloured: Ran, report: dict[str, Any]):
    assert coloured.code == 1
    shown = sorted(len(rows) for _, rows in blocks(coloured.out))
    comparisons = report["cases"][0]["comparisons"]
    assert shown == sorted(c["differing"] for c in comparisons if c["differing"])
    assert "more elements" not in coloured.out


def test_values_in_the_table_are_the_values_of_the_json(drift: Ran, report: dict[str, Any]):
    printed = {tuple(row.split()[:3]) for _, rows in blocks(drift.out) for row in rows}
    drifted = [c for c in report["cases"][0]["comparisons"] if not c["allowed"]]
    for shown in max(drifted, key=lambda c: c["max_abs"])["elements_shown"]:
        values = (decimal(np.float32(float.fromhex(shown[f"{s}_hex"]))) for s in SIDES)
        assert (",".join(map(str, shown["index"])), *values) in printed


def test_colours_on_request_say_the_same_as_plain_text(coloured: Ran):
    assert "\x1b[" in coloured.out
    assert "DRIFT" in plain(coloured.out).splitlines()[0]
    # Only colours: nothing moves the cursor or sets a title.
    assert "\x1b" not in plain(coloured.out)


def test_rounding_is_calm_and_drift_is_red(coloured: Ran):
    first = coloured.out.splitlines()[0]
    assert re.match(r"\x1b\[[0-9;]*;196m", first), "red"
    assert not re.search(r"\x1b\[[0-9;]*;196mrounding", coloured.out)


def on_terminal(python: Path, env: dict[str, str]) -> str:
    """Run where stdout is a terminal and return what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "run", "--python", str(python)],
        env=environment({"TERM": "xterm-256color", **env}),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            shown += chunk
        process.wait(60)
    os.close(ours)
    return shown.decode()


@pytest.mark.slow
def test_a_terminal_gets_colours_unless_no_color(bare_python: Path):
    assert "\x1b[" in on_terminal(bare_python, {})
    assert "\x1b" not in on_terminal(bare_python, {"NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(bare_python, {"TERM": "dumb"})


@pytest.mark.slow
def test_the_last_line_repeats_the_worst_case(drift: Ran, report: dict[str, Any], folder: Path):
    command = drift.out.splitlines()[-1].removeprefix("again: ")
    words = shlex.split(command)
    assert words[0] == "convdiff"
    again = convdiff(*words[1:], "--json", "-", cwd=folder)
    assert again.code == drift.code

    def worst(comparisons: list[dict[str, Any]]) -> dict[str, Any]:
        drifted = [c for c in comparisons if not c["allowed"]]
        return max(drifted, key=lambda c: c["max_abs"])

    repeated = json.loads(again.out)["cases"][0]["comparisons"]
    before = worst(report["cases"][0]["comparisons"])
    assert worst(repeated) == before
    assert len(repeated) <= len(report["cases"][0]["comparisons"])


@pytest.mark.framework
def test_wide_numbers_lose_no_digits(tmp_path: Path):
    """Two float64 that differ in their last digits: a cropped table would show them as equal."""
    case = case_file(
        tmp_path,
        "filter: {normal: 1, shape: [3, 3, 8, 4], seed: 1}\ninput: {normal: 1000, seed: 2}\n"
        "height: 6\nlengths: 200\ndtype: float64\ndevices: [cpu]\n",
    )
    ran = convdiff("run", case, "--framework", "numpy", "-v")
    assert ran.code == 0
    table = ran.out.partition("n,h,w,c")[2].partition("… and")[0]
    assert "…" not in table
    assert max(map(len, ran.out.splitlines()[:-1])) <= 80
    values = re.findall(r"(?:manual|conv2d) +(-?\d+\.\d+)", table)
    assert len(values) == 20
    for manual, conv in zip(values[::2], values[1::2], strict=True):
        assert manual != conv
