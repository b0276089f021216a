"""Layers that are hard to run alone are judged: with strides, of three axes, unseen, refusing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import convdiff
from soak import one_in

pytestmark = pytest.mark.slow

KERNELS = '''
"""A convolution in float64, rounded once; the one with `strides` or of one row in depth is off."""

import itertools

import numpy as np

before = {"gave": None}


def right(x, w, b=None, strides=None, padding=None):
    rank = w.ndim - 2
    strides = strides or (1,) * rank
    padding = padding or ((0, 0),) * rank
    x = np.pad(x.astype(np.float64), [(0, 0), *padding, (0, 0)])
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], w.shape, strides)]
    y = 0.0
    for at in itertools.product(*map(range, w.shape[:rank])):
        spans = [slice(k, k + (n - 1) * s + 1, s) for k, n, s in zip(at, counts, strides)]
        y = y + x[(slice(None), *spans)] @ w[at].astype(np.float64)
    return y.astype(np.float32)


def strided(x, w, b=None, strides=None, padding=None):
    y = right(x, w, b, strides, padding)
    if strides and set(strides) != {1}:
        y[..., 0] *= np.float32(1.01)
    return y


def shallow(x, w, b=None):
    y = right(x, w, b)
    if w.shape[0] == 1:
        y[..., 0] *= np.float32(1.01)
    return y


def refusing(x, w, b=None):
    """Run its second layer after its own first one alone."""
    y = right(x, w, b)
    if w.shape[0] == 1:
        if not np.array_equal(x, before["gave"]):
            raise RuntimeError("this is not what I gave")
        y[..., 0] *= np.float32(1.01)
    before["gave"] = np.maximum(y, 0)
    return y


def hiding(x, w, b=None):
    """Is off in its second layer after its own first one, and right alone."""
    y = right(x, w, b)
    if w.shape[0] == 1 and np.array_equal(x, before["gave"]):
        y[..., 0] *= np.float32(1.01)
    before["gave"] = np.maximum(y, 0)
    return y


def refusing_and_right(x, w, b=None):
    y = right(x, w, b)
    if w.shape[0] == 1 and not np.array_equal(x, before["gave"]):
        raise RuntimeError("this is not what I gave")
    before["gave"] = np.maximum(y, 0)
    return y
'''
PLANE = """
input: {normal: 1, seed: 1}
height: 9
lengths: 20
layers:
  - conv2d: {filter: {normal: 0.3, shape: [3, 3, 3, 4], seed: 2}}
  - relu
"""
STRIDED = """
  - conv2d:
      {filter: {normal: 0.3, shape: [3, 3, 4, 4], seed: 3}, strides: 2, padding: WORD}
"""
FLAT = "  - conv2d: {filter: {normal: 0.3, shape: [1, 3, 4, 4], seed: 3}}\n"
DEEP = """
input: {normal: 1, seed: 1}
depth: 6
height: 5
lengths: [12, 20]
layers:
  - conv3d: {filter: {normal: 0.3, shape: [3, 1, 3, 3, 4], seed: 2}}
  - relu
  - conv3d: {filter: {normal: 0.3, shape: [2, 2, 3, 4, 4], seed: 3}}
  - relu
  - conv3d: {filter: {normal: 0.3, shape: [1, 2, 3, 4, 2], seed: 4}}
"""
FUSED = """
input: {normal: 1, seed: 1}
lengths: 33
layers:
  - conv2d: {filter: {normal: 0.3, shape: [1, 3, 3, 4], seed: 2}}
  - batch_norm: {scale: 1.3, shift: 0.2, mean: 0.1, variance: 0.7}
  - relu6
"""
FUSED_TWICE = """
input: {normal: 1, seed: 1}
height: 6
lengths: 33
layers:
  - conv2d: {filter: {normal: 0.3, shape: [2, 3, 3, 4], seed: 2}}
  - batch_norm: {scale: 1.3, shift: 0.2, mean: 0.1, variance: 0.7}
  - relu6
  - conv2d: {filter: {normal: 0.3, shape: [1, 3, 4, 4], seed: 3}}
  - batch_norm: {scale: 1.3, shift: 0.2, mean: 0.1, variance: 0.7}
  - relu6
"""


def traced(folder: Path, text: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return a trace's exit code and its report."""
    (folder / "net.yaml").write_text(f"name: net{text}", "utf-8")
    (folder / "beside.py").write_text(KERNELS, "utf-8")
    ran = convdiff("trace", "net.yaml", *arguments, "--json", "r.json", cwd=folder)
    assert ran.code in (0, 1), ran.out + ran.err
    return ran.code, json.loads((folder / "r.json").read_text("utf-8"))


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {entry["layer"]: entry["verdict"] for entry in report["entries"]}


@one_in(2, "word", ["same", "same_lower"])
def test_same_with_strides_is_run_alone_as_torch_has_it_in_a_net(tmp_path: Path, word: str):
    text = PLANE + STRIDED.replace("WORD", word)
    code, found = traced(tmp_path, text, "--framework", "numpy,torch")
    assert (code, verdicts(found)) == (0, {"conv2d_1": "rounding"})
    code, found = traced(tmp_path, text, "--framework", "torch", "--kernel", "beside:strided")
    assert (code, verdicts(found)["conv2d_2"]) == (1, "wrong")


def test_same_with_strides_where_it_enters_is_rounding(tmp_path: Path):
    first = STRIDED.replace("WORD", "same").replace("4, 4]", "3, 4]")
    text = PLANE[: PLANE.index("  - conv2d")] + first.lstrip("\n")
    code, found = traced(tmp_path, text, "--framework", "numpy,torch")
    assert (code, verdicts(found)) == (0, {"conv2d_1": "rounding"})
    assert found["entries"][0]["alone"] == "same"


def test_a_layer_that_a_side_refuses_alone_is_held_against_what_each_side_reads(tmp_path: Path):
    code, found = traced(tmp_path, PLANE + FLAT, "--framework", "numpy", "--kernel", "beside:right")
    assert (code, verdicts(found)) == (0, {"conv2d_1": "rounding"})
    for kernel, expected in (("refusing", 1), ("refusing_and_right", 0)):
        kernels = ("--framework", "numpy", "--kernel", f"beside:{kernel}")
        code, found = traced(tmp_path, PLANE + FLAT, *kernels)
        assert (code, "conv2d_2" in verdicts(found)) == (expected, bool(expected))


def test_a_layer_that_is_right_alone_and_wrong_in_the_net_is_found(tmp_path: Path):
    arguments = ("--framework", "numpy", "--kernel", "beside:hiding")
    code, found = traced(tmp_path, PLANE + FLAT, *arguments)
    assert (code, verdicts(found)) == (1, {"conv2d_1": "rounding", "conv2d_2": "wrong"})


def test_a_net_of_three_axes_is_traced_and_its_broken_layer_is_named(tmp_path: Path):
    code, found = traced(tmp_path, DEEP, "--framework", "numpy,torch")
    assert (code, set(verdicts(found).values())) == (0, {"rounding"})
    code, found = traced(tmp_path, DEEP, "--framework", "numpy", "--kernel", "beside:shallow")
    assert (code, verdicts(found)["conv3d_3"]) == (1, "wrong")


def test_what_is_fused_is_looked_at_in_pairs_that_are_not_shown(tmp_path: Path):
    code, found = traced(tmp_path, FUSED, "--framework", "numpy,onnxruntime,torch")
    assert (code, set(verdicts(found).values())) == (0, {"rounding"})
    assert len(found["entries"]) == 2


@pytest.mark.parametrize("kernel", ["right", "shallow"])
def test_what_is_fused_behind_a_difference_is_judged_too(tmp_path: Path, kernel: str):
    kernels = ("--framework", "onnxruntime", "--kernel", f"beside:{kernel}")
    code, found = traced(tmp_path, FUSED_TWICE, *kernels)
    broken = kernel == "shallow"
    assert (code, verdicts(found).get("batch_norm_2")) == (broken, "wrong" if broken else None)


@pytest.mark.parametrize("looked", [("--until", "relu_1"), ("--layers", "^(conv2d_1|relu_2)$")])
@pytest.mark.parametrize("kernel", ["right", "shallow"])
def test_what_is_behind_all_that_is_looked_at_is_judged_too(
    tmp_path: Path, kernel: str, looked: tuple[str, str]
):
    middle = FLAT.replace("[1, 3, 4, 4]", "[2, 3, 4, 4]") + "  - relu\n"
    kernels = ("--framework", "numpy", "--kernel", f"beside:{kernel}")
    code, found = traced(tmp_path, PLANE + middle + FLAT, *kernels, *looked)
    wrong = [layer for layer, verdict in verdicts(found).items() if verdict == "wrong"]
    assert (code, wrong) == ((1, ["conv2d_3"]) if kernel == "shallow" else (0, []))
    assert sum(entry["verdict"] == "wrong" for entry in found["entries"]) == len(wrong)
