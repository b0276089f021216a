"""A layer that sums no products and is wrong behind a difference that merely rounds is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import convdiff

pytestmark = pytest.mark.slow

KERNELS = '''
"""A convolution; but for FAULT=none it adds backwards, and NumPy's layer FAULT is off by 1 %."""

import importlib
import os

import numpy as np

FAULT = os.environ.get("FAULT", "none")
layers = importlib.import_module("convdiff_worker.nets.numpy").LAYERS


def off(build):
    def built(library, place):
        call = build(library, place)
        return lambda *given: call(*given) * np.float32(1.01)

    return built


if FAULT in layers:
    layers[FAULT] = off(layers[FAULT])


def loop(x, w, b):
    columns = x.shape[2] - w.shape[1] + 1
    y = np.float32(0)
    taps = list(np.ndindex(*w.shape[1:3]))
    for j, c in taps if FAULT == "none" or w.shape[2] != 3 else reversed(taps):
        y = y + x[:, :, j : j + columns, c, None] * w[0, j, c]
    return y if b is None else y + b
'''
HEAD = """
name: all
input: {normal: 1, seed: 1}
lengths: 40
layers:
  - conv2d: {filter: {normal: 1, shape: [1, 3, 3, 4], seed: 2}, name: first}
"""
NET = (
    HEAD
    + """
  - batch_norm: {scale: 1.3, shift: 0.2, mean: 0.1, variance: 0.7}
  - leaky_relu
  - avg_pool: {size: [1, 2], strides: 1}
  - tanh
  - add: {from: [tanh_1, avg_pool_1]}
  - pad: {padding: [[0, 0], [1, 1]]}
  - max_pool: {size: [1, 2]}
  - softmax
  - clip: {low: 0.1, high: 0.6}
  - conv2d: {filter: {normal: 1, shape: [1, 3, 4, 4], seed: 3}, name: last}
  - gelu
  - global_avg_pool
"""
)
KINDS = (
    *("batch_norm", "leaky_relu", "avg_pool", "tanh", "add", "pad", "max_pool"),
    *("softmax", "clip", "gelu", "global_avg_pool"),
)
HEALED = HEAD + "  - negative\n  - clip: {low: 0.1, high: 0.1}\n"
BETWEEN = (
    HEAD.replace("[1, 3, 3, 4]", "[1, 3, 5, 4]")
    + """
  - avg_pool: {size: [1, 2]}
  - conv2d: {filter: {normal: 1, shape: [1, 3, 4, 4], seed: 3}, name: last}
"""
)


def traced(folder: Path, net: str, faults: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of a trace with these faults beside none, and its report."""
    (folder / "net.yaml").write_text(net)
    (folder / "kernels.py").write_text(KERNELS)
    vary = ("--kernel", "kernels:loop", "--vary", f"FAULT=none,{faults}")
    ran = convdiff("trace", "net.yaml", *vary, *arguments, "--json", "-", cwd=folder)
    assert ran.code in (0, 1), ran.err
    return ran.code, json.loads(ran.out)


def entries(report: dict[str, Any], fault: str) -> dict[str, str]:
    """Return the verdicts on the layers of the pair whose side has a fault."""
    return {
        one["layer"]: one["verdict"]
        for one in report["entries"]
        if f"FAULT={fault}" in one["candidate"]["runtime"]
    }


@pytest.mark.parametrize("kinds", [KINDS[:6], KINDS[6:]], ids=["first", "last"])
def test_a_fault_in_each_kind_of_layer_is_found_behind_rounding(tmp_path: Path, kinds: Any):
    code, report = traced(tmp_path, NET, ",".join((*kinds, "order")))
    assert code == 1
    assert entries(report, "order") == {"first": "rounding"}
    for kind in kinds:
        expected = {"first": "rounding", f"{kind}_1": "wrong"}
        assert entries(report, kind) == expected, kind


def test_rounding_that_is_carried_by_all_kinds_of_layers_is_allowed(tmp_path: Path):
    rounding = NET + "expect: {runtime: rounding}\n"
    code, report = traced(tmp_path, rounding, "order")
    assert (code, entries(report, "order")) == (0, {"first": "rounding"})


def test_a_layer_that_heals_a_difference_and_is_wrong_is_found(tmp_path: Path):
    code, report = traced(tmp_path, HEALED, "negative,order")
    assert (code, entries(report, "negative")["negative_1"]) == (1, "wrong")
    assert entries(report, "order") == {"first": "rounding"}
    statuses = [{one["name"]: one["status"] for one in pair["layers"]} for pair in report["pairs"]]
    assert [one["clip_1"] for one in statuses] == ["healed", "healed"]


@pytest.mark.parametrize("looked", [("--layers", "^(first|last)$"), ("--until", "first")])
def test_a_layer_that_was_not_looked_at_is_judged_too(tmp_path: Path, looked: tuple[str, str]):
    for net in (BETWEEN, BETWEEN.replace("[1, 3, 5, 4]", "[1, 3, 3, 4]")):
        code, report = traced(tmp_path, net, "avg_pool,order", *looked)
        assert (code, entries(report, "avg_pool").get("avg_pool_1")) == (1, "wrong"), net
        assert "wrong" not in entries(report, "order").values()
