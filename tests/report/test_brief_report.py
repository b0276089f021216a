"""The short report: the answer first, one screen, and the summary with the exit code last."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from program import KERNEL, Ran, case_file, convdiff, kernel_file


@pytest.mark.slow
def test_the_first_line_has_verdict_case_sides_and_count(brief: Ran):
    first = " ".join(brief.out.split("\n  #1")[0].split())
    assert re.match(
        r"DRIFT\[rounding\] many-elements: ORDER=pairs \(#2\) gives other bits than ORDER=rows",
        first,
    )
    assert re.search(
        r"\(\d+ of \d+, (≤ \d+ ulp|\|Δ\| ≤ [^ ,)]+)(, \d+ at the terms' size)?\)", first
    )


def test_the_last_line_is_the_summary_and_the_one_to_repeat_stands_before(brief: Ran):
    *_, again, last = brief.out.splitlines()
    assert last == "1 case: 1 drift (exit 1)"
    assert again.startswith("  again  convdiff run ")


@pytest.mark.slow
def test_what_is_to_be_repeated_gives_the_same_answer(brief: Ran, folder: Path):
    words = shlex.split(brief.out.splitlines()[-2].removeprefix("  again "))
    again = convdiff(*words[1:], cwd=folder)
    assert (again.code, again.out.splitlines()[-1]) == (1, "1 case: 1 drift (exit 1)")


def test_it_is_one_screen_of_80_columns(brief: Ran):
    lines = brief.out.splitlines()
    assert len(lines) <= 24
    assert (
        max(len(one) for one in lines if not one.startswith(("  again", "  accept", "  draw")))
        <= 80
    )


def test_elements_are_those_of_the_json_by_the_indices_that_vary(
    brief: Ran, report: dict[str, Any]
):
    drifted = [c for c in report["cases"][0]["comparisons"] if not c["allowed"]]
    kept = max(drifted, key=lambda c: c["max_abs"])["elements_shown"]
    farthest = max(kept, key=lambda element: element["ulp"])
    worst = (
        kept[:5] if farthest["ulp"] in [one["ulp"] for one in kept[:5]] else [*kept[:4], farthest]
    )
    lines = brief.out.splitlines()
    at = next(n for n, one in enumerate(lines) if one.split()[:2] == ["h,w", "exact"])
    shown = [one.split() for one in lines[at + 1 : at + 1 + len(worst)]]
    for row, element in zip(shown, worst, strict=True):
        assert row[0] == ",".join(str(i) for i in element["index"][1:3])
        assert float(row[2]) == pytest.approx(element["baseline"], rel=1e-7)
        assert float(row[3]) == pytest.approx(element["candidate"], rel=1e-7)


def test_the_proof_and_what_to_accept_are_said_with_the_line(brief: Ran, drifting_case: Path):
    assert "proved, NumPy replays every bit" in brief.out
    accept = next(one for one in brief.out.splitlines() if one.startswith("  accept"))
    assert "expect: {runtime:" in accept
    line = next(
        number
        for number, text in enumerate(drifting_case.read_text("utf-8").splitlines(), 1)
        if text.startswith("expect:")
    )
    assert accept.rstrip().endswith(f"{drifting_case.name}:{line}")


@pytest.mark.slow
def test_quiet_is_a_line_a_case(drifting_case: Path, folder: Path, vary: tuple[str, ...]):
    ran = convdiff("run", drifting_case, *vary, "-q", cwd=folder)
    assert ran.code == 1
    words = " ".join(ran.out.split())
    assert words.startswith("DRIFT[rounding] many-elements:") and "why" not in words
    assert len(ran.out.splitlines()) <= 4


CASES = """
name: {name}
filter: {{normal: 1, shape: [1, 5, 1, 1], seed: 1}}
input: {{normal: 1, seed: {seed}}}
lengths: [20]
expect: {{runtime: {expect}}}
"""


@pytest.mark.slow
def test_of_several_cases_an_ok_one_has_a_line_and_a_drift_fourteen(tmp_path: Path):
    kernel_file(tmp_path)
    for number in range(4):
        expect = "bitwise" if number % 2 else "rounding"
        text = CASES.format(name=f"case-{number}", seed=number, expect=expect)
        case_file(tmp_path, text, f"{number}.yaml")
    ran = convdiff("run", ".", *KERNEL, "--vary", "ORDER=rows,pairs", cwd=tmp_path)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[-1] == "4 cases: 2 ok, 2 drift (exit 1)"
    starts = [n for n, one in enumerate(lines) if one.startswith(("OK ", "DRIFT["))]
    assert len(starts) == 4
    sizes = [b - a for a, b in zip(starts, [*starts[1:], len(lines) - 2], strict=True)]
    kinds = [lines[n].split("[")[0].split()[0] for n in starts]
    assert all(size == 1 for size, kind in zip(sizes, kinds, strict=True) if kind == "OK")
    assert all(size <= 14 for size in sizes)
    assert sum("-v for every comparison" in one for one in lines) == 1


def test_untested_says_why_and_what(folder: Path, drifting_case: Path):
    ran = convdiff("run", drifting_case, "--framework", "numpy", "--device", "gpu", cwd=folder)
    assert ran.code == 125
    words = " ".join(ran.out.split())
    assert words.startswith("UNTESTED many-elements:") and "numpy:gpu" in words
    assert ran.out.splitlines()[-1] == "1 case: 1 untested (exit 125)"


@pytest.mark.slow
@pytest.mark.parametrize("verbose", ["-v", "-vv"])
def test_what_the_short_report_leaves_out_is_in_the_long_one(
    brief: Ran, drifting_case: Path, folder: Path, vary: tuple[str, ...], verbose: str
):
    whole = convdiff("run", drifting_case, *vary, verbose, cwd=folder)
    assert whole.code == brief.code
    assert len(whole.out) > len(brief.out)
    assert json.dumps(whole.out).count("splits") > 0


FLIPPED = """
import numpy as np
def conv2d(x, w, b=None):
    wide = x.shape[2] - w.shape[1] + 1
    parts = [x[:, :, k:k + wide, :] * w[0, w.shape[1] - 1 - k, 0, 0] for k in range(w.shape[1])]
    return sum(parts).astype(x.dtype)
"""
WHOLE = """
filter: [1.0, 2.0, 4.0]
input: {{normal: 1, shape: [1, 1, 9, 1], seed: 1}}
expect: {expect}
"""


@pytest.mark.slow
def test_what_is_wrong_and_allowed_is_not_said_to_round(tmp_path: Path):
    (tmp_path / "flipping.py").write_text(FLIPPED, "utf-8")
    case = tmp_path / "case.yaml"
    case.write_text(WHOLE.format(expect="{reference: anything}"), "utf-8")
    ran = convdiff("run", case, "--kernel", "flipping:conv2d", cwd=tmp_path)
    said = " ".join(ran.out.split())
    assert ran.code == 1
    assert "reference wrong, as `expect` allows, |Δ| ≤" in said
    assert "reference rounding" not in said
    assert "position exact conv2d ulp" in said


@pytest.mark.slow
def test_outputs_that_are_nan_on_one_side_have_no_size(tmp_path: Path):
    case = tmp_path / "case.yaml"
    case.write_text(WHOLE.format(expect="{}"), "utf-8")
    text = FLIPPED.replace("astype(x.dtype)", "astype(x.dtype) * np.float32('nan')")
    (tmp_path / "losing.py").write_text(text, "utf-8")
    ran = convdiff("run", case, "--kernel", "losing:conv2d", cwd=tmp_path)
    said = " ".join(ran.out.split())
    assert ran.code == 1
    assert "NaN or infinity on one side" in said
    assert "0 ulp" not in said
