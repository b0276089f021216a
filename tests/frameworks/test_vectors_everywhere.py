"""Vectors reach every framework's kernel: with and without bias, groups, strides and dilations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import case_file, convdiff
from soak import one_in

pytestmark = [pytest.mark.framework, pytest.mark.slow]

INPUT = "input: {{normal: 1.0, shape: [2, 1, 24, {cin}], seed: 2}}\nlengths: 24\n"
SHAPES = {
    "one channel": ("[1, 7, 1, 1]", 1, True, ""),
    "many": ("[1, 5, 12, 8]", 12, False, ""),
    "grouped": ("[1, 3, 4, 6]", 8, True, "groups: 2\nstrides: [1, 2]\n"),
    "depthwise": ("[1, 5, 1, 8]", 8, True, "groups: 8\ndilations: [1, 2]\n"),
}


def cases(folder: Path) -> list[Path]:
    made = []
    for name, (shape, cin, bias, rest) in SHAPES.items():
        text = f"name: {name}\nfilter: {{normal: 1.0, shape: {shape}, seed: 1}}\n"
        text += "bias: {normal: 1.0, seed: 3}\n" if bias else ""
        text += INPUT.format(cin=cin) + rest
        home = folder / name.replace(" ", "_")
        home.mkdir()
        made.append(case_file(home, text))
    return made


def explained(folder: Path, *options: object) -> list[dict[str, Any]]:
    """Return the comparisons whose cause was proved, one runtime's op among the sides."""
    convdiff("run", *cases(folder), "--explain", *options, "--json", "r.json", cwd=folder)
    report = json.loads((folder / "r.json").read_text())
    return [
        {"case": case["name"], **comparison}
        for case in report["cases"]
        for comparison in case["comparisons"]
        if comparison["explanation"]["status"] == "proved"
    ]


@one_in(2, "framework", ["tensorflow", "torch", "jax", "onnxruntime"])
def test_what_is_proved_of_a_framework_is_confirmed(tmp_path: Path, framework: str) -> None:
    found = explained(tmp_path, "--framework", framework, "--device", "cpu")
    assert {one["case"] for one in found} == set(SHAPES)
    for one in found:
        assert one["explanation"]["confirmed"], one["case"]


def test_what_is_proved_of_old_tensorflow_is_confirmed(tmp_path: Path, tf1_python: str) -> None:
    found = explained(tmp_path, "--python", tf1_python, "--device", "cpu")
    assert {"one channel", "many"} <= {one["case"] for one in found}
    for one in found:
        assert one["explanation"]["confirmed"], one["case"]
