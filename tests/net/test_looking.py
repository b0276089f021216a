"""Looking at activations may change the bits of a net's outputs: what is done, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import need
from program import convdiff
from soak import one_in

from convdiff.case.device import Device
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


def changes(net: Path, pool: Pool, framework: str = "onnxruntime", device: str = "cpu") -> bool:
    """Return whether fetching all activations changes a framework's outputs here."""
    subject = subject_of(load_net(net))
    (interpreter,) = interpreters((framework,), (), (), (), ())
    run = NetRun(Runtime(interpreter, Device.parse(device)), 64)
    (name,), outputs = subject.net.outputs, []
    for observe in ("outputs", "all"):
        for _, found, _ in observe_net(subject, [run], [Watched(name)], pool, observe=observe):
            assert not isinstance(found, NoBits)
            outputs.append(found[name])
    return bool((outputs[0] != outputs[1]).any())


def traced(net: Path, *arguments: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(convdiff("trace", net, *arguments, "--json", "-").out)
    return report


def test_what_is_fused_otherwise_when_looked_at_is_not_looked_at(net: Path, workers: Pool):
    need("onnxruntime")
    report = traced(net, "--framework", "onnxruntime,numpy", "--lengths", "64")
    assert all(run["changed"] == 0 for run in report["looking"])
    (pair,) = report["pairs"]
    found = {layer["name"]: layer["status"] for layer in pair["layers"]}
    assert found["relu_2"] == "carried"
    if changes(net, workers):
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


COMPILED = """
name: compiled
input: {normal: 1, seed: 7}
lengths: [64]
height: 6
layers:
  - conv2d: {filter: {normal: 0.2, shape: [3, 3, 8, 32], seed: 1}, padding: same}
"""
CHAINS = {
    "a sum over what is fused": ("relu", "silu", "softmax"),
    "pools of what is fused": ("relu", "silu", "avg_pool: {size: 2}"),
    "a pad that a pool reads": (
        "relu",
        "pad: {padding: [[1, 1], [1, 1]]}",
        "max_pool: {size: 2}",
        "softmax",
    ),
}


@one_in(3, "chain", CHAINS.values())
@pytest.mark.parametrize(("framework", "device"), [("jax", "cpu"), ("tensorflow", "cpu+xla")])
def test_a_net_that_is_compiled_is_looked_at_less(
    tmp_path: Path, workers: Pool, framework: str, device: str, chain: tuple[str, ...]
):
    """None of these layers is folded into the next, but where the net is one function."""
    need(framework)
    net = tmp_path / "net.yaml"
    net.write_text(COMPILED + "".join(f"  - {layer}\n" for layer in chain))
    report = traced(net, "--framework", f"{framework},numpy", "--device", f"{device},cpu")
    changed = changes(net, workers, framework, device)
    assert report["looks_less"] == changed
    assert all(run["changed"] == 0 for run in report["looking"])
    found = [pair for pair in report["pairs"] if pair["axis"] == "runtime"]
    assert found and all(pair["verdict"] in ("same", "rounding") for pair in found), found
