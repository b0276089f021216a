"""A mistake is told of the side that makes it, and no length is advised that has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_kernels import CASE, RIGHT, reported
from program import Ran, case_file, convdiff

from convdiff.case.arrays import make_tensors
from convdiff.case.load import load_case
from convdiff.compare.exact import exact

pytestmark = pytest.mark.slow

KERNELS = """

def by_parity(even, odd):
    return lambda x, w, b: (odd if x.shape[2] % 2 else even)(x, w, b)


def flipped(x, w, b):
    return right(x, w[::-1, ::-1], b)


def half(x, w, b):
    return right(x, w * (np.arange(w.shape[2]) > 0)[:, None].astype(w.dtype), b)


def backwards(x, w, b):
    return right(x[:, ::-1, ::-1], w[::-1, ::-1], b)[:, ::-1, ::-1].copy()


flipped_where_even = by_parity(flipped, right)
half_where_even = by_parity(half, right)
flipped_where_odd = by_parity(right, flipped)
flipped_everywhere = by_parity(flipped, lambda x, w, b: backwards(x, w[::-1, ::-1], b))
rounded_where_odd = by_parity(right, backwards)
"""
FLIPPED = "the filter is flipped (true convolution, not cross-correlation)"
HALF = "input channel 0 is left out"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(RIGHT + KERNELS, "utf-8")
    case_file(tmp_path, CASE + "lengths: 7\n")
    return tmp_path


def lengths(project: Path, kernel: str, which: str, *options: str) -> tuple[Ran, Any]:
    """Run a kernel at some lengths; return what it printed, and its case of the JSON report."""
    given = ("--kernel", f"mine:{kernel}", "--lengths", which, *options)
    ran, report = reported(project, *given, env={"COLUMNS": "500"})
    (case,) = report["cases"]
    return ran, case


def along_lengths(case: Any) -> set[tuple[str, str | None, str | None]]:
    found = [one for one in case["comparisons"] if one["axis"] == "length" and one["differing"]]
    return {(one["verdict"], one["fits"], one["fits_side"]) for one in found}


@pytest.mark.parametrize(
    ("kernel", "which", "longest", "fits"),
    [
        ("flipped_where_even", "7,8", 8, FLIPPED),
        ("half_where_even", "5..8", 8, HALF),
        ("flipped_where_odd", "6,9", 9, FLIPPED),
    ],
)
def test_the_longest_length_that_is_wrong_is_named_and_nothing_is_padded_to_it(
    project: Path, kernel: str, which: str, longest: int, fits: str
):
    others = ("--markdown", "m.md", "--junit", "j.xml", "--github")
    ran, case = lengths(project, kernel, which, *others)
    assert ran.code == 1
    assert along_lengths(case) == {("wrong", fits, "baseline")}
    assert f"than length {longest}; length {longest}: {fits}" in ran.out
    assert "pad to" not in ran.out
    assert f"= length {longest}" not in ran.out, (
        "no length is ok for having the bits of a wrong one"
    )
    texts = [ran.out + ran.err, *((project / one).read_text("utf-8") for one in others[1:4:2])]
    for text in texts:
        assert "safe lengths" not in text
    for text in texts[1:]:
        assert f"wrong, T={longest}: {fits}" in text.replace("\\", "")
    assert [one["advised"] for one in case["safe_lengths"]] == [False]


def test_the_shorter_length_that_is_wrong_is_said_as_ever(project: Path):
    ran, case = lengths(project, "flipped_where_odd", "6..8")
    assert along_lengths(case) == {("wrong", FLIPPED, "candidate")}
    assert f"length 7 gives other bits than length 8: {FLIPPED}" in ran.out
    assert "ok     length 6 = length 8" in ran.out
    assert "pad to" not in ran.out


def test_what_is_wrong_at_every_length_is_nothing_to_pad_to(project: Path):
    ran, case = lengths(project, "flipped_everywhere", "5..8", "-v")
    assert along_lengths(case) == {("wrong", FLIPPED, "both")}
    assert f"both: it fits: {FLIPPED}" in " ".join(ran.out.split())
    assert "pad to" not in ran.out and "safe lengths" not in ran.out


def test_where_lengths_only_round_otherwise_padding_is_advised(project: Path):
    ran, case = lengths(project, "rounded_where_odd", "5..8")
    assert {verdict for verdict, *_ in along_lengths(case)} == {"rounding"}
    assert "pad to length 6: the bits of length 8" in ran.out
    assert [one["advised"] for one in case["safe_lengths"]] == [True]


@pytest.mark.parametrize("quiet", [(), ("-q",)])
@pytest.mark.parametrize("swap", [False, True])
def test_the_runtime_that_is_wrong_is_named(project: Path, swap: bool, quiet: tuple[str, ...]):
    kernels = ["right", "half"][:: -1 if swap else 1]
    named = [option for one in kernels for option in ("--kernel", f"mine:{one}")]
    ran = convdiff("run", "case.yaml", *named, *quiet, cwd=project, env={"COLUMNS": "500"})
    assert ran.code == 1
    baseline = f"other bits than mine:half:cpu (#1); mine:half:cpu: {HALF}"
    assert (baseline if swap else f"than mine:right:cpu (#1): {HALF}") in ran.out


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("fits", [FLIPPED, HALF])
def test_the_output_that_is_wrong_is_named(tmp_path: Path, swap: bool, fits: str):
    case = load_case(case_file(tmp_path, CASE + "lengths: 7\n"))
    tensors = make_tensors(case)
    weights = tensors.filter_hwio
    read = weights[::-1, ::-1] if fits == FLIPPED else weights * np.float32([[0], [1]])
    np.save(tmp_path / "right.npy", exact(case.conv, tensors))
    np.save(tmp_path / "other.npy", exact(case.conv, replace(tensors, filter_hwio=read)))
    files = ["right.npy", "other.npy"][:: -1 if swap else 1]
    ran = convdiff("compare", *files, "--case", "case.yaml", "-q", cwd=tmp_path)
    assert ran.code == 1
    sides = f"case: {files[1]} gives other bits than {files[0]}"
    named = f"{sides}; other.npy: {fits} (" if swap else f"{sides}: {fits} ("
    assert named in " ".join(ran.out.split())
