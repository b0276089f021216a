"""Equal is not right: what TensorFlow's convolution and its own manual sum both get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import Ran, case_file, convdiff

pytestmark = pytest.mark.framework

SUBNORMAL = "name: {name}\nfilter: [1.0]\ninput: [1.0e-40, {other}]\nlengths: [2]\ndevices: [cpu]\n"
CASES = {
    "alone": SUBNORMAL.format(name="alone", other="1.0e-40"),
    "among": SUBNORMAL.format(name="among", other="1.0"),
    "allowed": SUBNORMAL.format(name="allowed", other="1.0") + "expect: {exact: anything}\n",
}


def ran(folder: Path, *options: str) -> tuple[Ran, dict[str, dict[str, Any]]]:
    """Run the cases; return also what the report has of each."""
    files = [case_file(folder, text, f"{name}.yaml") for name, text in CASES.items()]
    done = convdiff("run", *files, *options, "--json", "report.json", cwd=folder)
    cases = json.loads((folder / "report.json").read_text("utf-8"))["cases"]
    return done, {one["name"]: one for one in cases}


def along_exact(case: dict[str, Any]) -> dict[str, Any]:
    """Return the only comparison along the axis `exact`."""
    (exact,) = (one for one in case["comparisons"] if one["axis"] == "exact")
    return dict(exact)


@pytest.fixture(scope="module")
def tensorflows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, dict[str, dict[str, Any]]]:
    return ran(tmp_path_factory.mktemp("subnormal"), "--framework", "tensorflow")


@pytest.mark.parametrize("name", ["alone", "among"])
def test_tensorflow_flushes_subnormals_in_both_ways_and_that_is_drift(tensorflows, name: str):
    done, cases = tensorflows
    assert (done.code, cases[name]["outcome"]) == (1, "drift")
    exact = along_exact(cases[name])
    said = " ".join(done.out.split())
    assert said.count("equal, but both flush subnormals to zero: precision") == 2
    assert (exact["verdict"], exact["allowed"]) == ("precision", False)
    assert (exact["baseline"]["op"], exact["candidate"]["op"]) == ("exact", "conv2d")
    assert exact["elements_shown"][0]["candidate"] == 0


def test_a_case_that_allows_it_is_as_green_as_without_the_axis(tensorflows):
    case = tensorflows[1]["allowed"]
    exact = along_exact(case)
    assert (case["outcome"], exact["verdict"], exact["allowed"]) == ("ok", "precision", True)


def test_numpy_keeps_subnormals_and_is_the_exact_result(tmp_path: Path):
    done, cases = ran(tmp_path, "--framework", "numpy")
    assert done.code == 0
    assert {along_exact(case)["verdict"] for case in cases.values()} == {"same"}
