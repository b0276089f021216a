"""Equal is not right: what TensorFlow's convolution and its own manual sum both get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import Ran, case_file, convdiff

pytestmark = pytest.mark.framework

SUBNORMAL = "filter: [1.0]\ninput: [1.0e-40, {other}]\nlengths: [2]\ndevices: [cpu]\n"


def ran(folder: Path, text: str, *options: str) -> tuple[Ran, list[dict[str, Any]]]:
    """Run a case; return also what its report has along the axis `exact`."""
    report = folder / "report.json"
    done = convdiff("run", case_file(folder, text), *options, "--json", report)
    (case,) = json.loads(report.read_text("utf-8"))["cases"]
    return done, [one for one in case["comparisons"] if one["axis"] == "exact"]


@pytest.mark.parametrize("other", ["1.0e-40", "1.0"])
def test_tensorflow_flushes_subnormals_in_both_ways_and_that_is_drift(tmp_path: Path, other: str):
    done, (exact,) = ran(tmp_path, SUBNORMAL.format(other=other))
    assert done.code == 1
    said = " ".join(done.out.split())
    assert "equal, but both flush subnormals to zero: precision" in said
    assert (exact["verdict"], exact["allowed"]) == ("precision", False)
    assert (exact["baseline"]["op"], exact["candidate"]["op"]) == ("exact", "conv2d")
    assert exact["elements_shown"][0]["candidate"] == 0


def test_a_case_that_allows_it_is_as_green_as_without_the_axis(tmp_path: Path):
    done, (exact,) = ran(tmp_path, SUBNORMAL.format(other="1.0") + "expect: {exact: anything}\n")
    assert (done.code, exact["verdict"], exact["allowed"]) == (0, "precision", True)


def test_numpy_keeps_subnormals_and_is_the_exact_result(tmp_path: Path):
    done, (exact,) = ran(tmp_path, SUBNORMAL.format(other="1.0"), "--framework", "numpy")
    assert (done.code, exact["verdict"]) == (0, "same")
