"""Looking at activations may change the bits of a net's outputs: what is done, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import need
from program import convdiff

from convdiff.case.load_net import load_net
from convdiff.lab.nets import NetRun, Watched, observe_net
from convdiff.lab.pool import Pool
from convdiff.net.subject import subject_of
from convdiff.plan.cell import NoBits
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Runtime

pytestmark = pytest.mark.slow

NET = """
name: folded
input: {normal: 1, seed: 7}
lengths: [40, 64]
height: 6
layers:
  - conv2d: {filter: {normal: 0.2, shape: [3, 3, 8, 32], seed: 1}, padding: same}
  - batch_norm: &norm
      scale: {uniform: [0.5, 1.5], seed: 2}
      shift: {normal: 1, seed: 3}
      mean: {normal: 1, seed: 4}
      variance: {uniform: [0.5, 1.5], seed: 5}
  - relu
  - conv2d: {filter: {normal: 0.1, shape: [3, 3, 32, 32], seed: 6}, padding: same}
  - batch_norm: *norm
  - relu
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    return path


def changes(net: Path, pool: Pool) -> bool:
    """Return whether fetching all activations changes ONNX Runtime's outputs here."""
    from convdiff.case.device import Device

    subject = subject_of(load_net(net))
    (interpreter,) = interpreters(("onnxruntime",), (), (), (), ())
    run = NetRun(Runtime(interpreter, Device("cpu")), 64)
    outputs = []
    for observe in ("outputs", "all"):
        for _, found, _ in observe_net(subject, [run], [Watched("relu_2")], pool, observe=observe):
            assert not isinstance(found, NoBits)
            outputs.append(found["relu_2"])
    return bool((outputs[0] != outputs[1]).any())


def traced(net: Path, *arguments: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(convdiff("trace", net, *arguments, "--json", "-").out)
    return report


def test_what_is_fused_otherwise_when_looked_at_is_not_looked_at(net: Path, pool: Pool):
    need("onnxruntime")
    report = traced(net, "--framework", "onnxruntime,numpy", "--lengths", "64")
    assert all(run["changed"] == 0 for run in report["looking"])
    (pair,) = report["pairs"]
    found = {layer["name"]: layer["status"] for layer in pair["layers"]}
    assert found["relu_2"] == "carried"
    if changes(net, pool):
        assert found["conv2d_1"] == "unseen"
        assert pair["entered"] == ["batch_norm_1"]
        (entry,) = report["entries"]
        assert entry["at"] == "conv2d_1"
        assert entry["unseen"] == ["conv2d_1"]
        assert entry["verdict"] == "rounding"
    else:
        assert pair["entered"] == ["conv2d_1"]


def test_numpy_is_looked_at_whole(net: Path):
    report = traced(net, "--framework", "numpy")
    assert {one["status"] for pair in report["pairs"] for one in pair["layers"]} == {"untouched"}
    assert [run["changed"] for run in report["looking"]] == [0, 0]
