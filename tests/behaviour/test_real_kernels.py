"""Real kernels that do not sum directly, or do not compute the convolution at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from program import case_file, convdiff

DEEP = """
filter: {normal: 1, shape: [3, 3, 64, 64], seed: 1, scale: 0.05}
input: {normal: 1, seed: 2}
height: 32
lengths: [32]
devices: [cpu]
"""
DEPTHWISE = """
filter: {normal: 1, shape: [3, 3, 1, 4], seed: 1}
input: {normal: 1, seed: 2}
height: 12
lengths: [12]
groups: 4
dilations: 2
devices: [cpu]
expect: {reference: rounding}
"""


def findings(tmp_path: Path, text: str, *arguments: str) -> tuple[int, str, list[dict[str, Any]]]:
    path = tmp_path / "report.json"
    ran = convdiff("run", case_file(tmp_path, text), *arguments, "--json", path)
    (case,) = json.loads(path.read_text("utf-8"))["cases"]
    return ran.code, ran.out, case["comparisons"]


def test_tf1s_deep_conv2d_is_a_transform(tf1_python: str, tmp_path: Path):
    code, out, comparisons = findings(
        tmp_path, DEEP, "--python", tf1_python, "--vary", "TF_USE_DEEP_CONV2D=1,0"
    )
    assert code == 1
    found = {
        (c["axis"], c["candidate"]["op"], c["candidate"]["runtime"][-2]): c["verdict"]
        for c in comparisons
    }
    assert found["runtime", "conv2d", "0"] == "transform"
    assert found["reference", "conv2d", "1"] == "transform"
    assert found["reference", "conv2d", "0"] in ("rounding", "same")
    (said,) = [c["evidence"] for c in comparisons if c["axis"] == "runtime" and c["differing"]]
    assert any(text.startswith("baseline: ") and "Winograd" in text for text in said)
    assert "transform" in out.splitlines()[0] + out.splitlines()[1]


def test_tf16s_depthwise_ignores_its_dilation(tf16_python: str, tmp_path: Path):
    code, out, comparisons = findings(tmp_path, DEPTHWISE, "--python", tf16_python)
    assert code == 1
    assert {comparison["axis"] for comparison in comparisons} == {"reference", "exact"}
    for comparison in comparisons:
        assert (comparison["verdict"], comparison["allowed"]) == ("wrong", False)
        assert comparison["fits"].startswith("the dilation is ignored")
    assert "the dilation is ignored" in out
