"""Model files in `run` and `sweep`: as layers, with what there is to be compared by default."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from program import Ran, convdiff

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of a convolution, a pool and a sigmoid, and a case."""
    folder = tmp_path_factory.mktemp("models")
    weights = np.random.default_rng(1).normal(size=(4, 3, 1, 5)).astype("float32")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["first"]),
        helper.make_node("MaxPool", ["first"], ["pool"], kernel_shape=[1, 2], strides=[1, 2]),
        helper.make_node("Sigmoid", ["pool"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 1, 40])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "small", [x], [y], [numpy_helper.from_array(weights, "w")])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "model.onnx",
    )
    (folder / "case.yaml").write_text("filter: [1, 2]\ninput: {ramp: 1}\nlengths: 5\n")
    return folder


def ran(folder: Path, *arguments: str) -> Ran:
    return convdiff(*arguments, cwd=folder)


def pairs_of(folder: Path, *arguments: str) -> list[tuple[str, int, int, str]]:
    report = json.loads(ran(folder, *arguments, "--json", "-").out)
    return [
        (
            one["axis"],
            one["candidate"]["length"],
            one["candidate"]["batch"],
            one["candidate"]["runtime"],
        )
        for one in report["pairs"]
    ]


def test_alone_a_model_has_two_batches_on_its_own_runtime(folder: Path):
    assert pairs_of(folder, "run", "model.onnx") == [("batch", 40, 1, "onnxruntime:cpu")]
    numpy = pairs_of(folder, "run", "model.onnx", "--framework", "numpy")
    assert numpy == [("batch", 40, 1, "numpy:cpu")]


def test_lengths_are_compared_as_layers(folder: Path):
    found = pairs_of(folder, "run", "model.onnx", "--lengths", "20..22")
    assert [one[:2] for one in found] == [("length", 21), ("length", 20)]
    swept = pairs_of(folder, "sweep", "model.onnx")
    assert [one[1] for one in swept] == list(range(64, 5, -1))  # 6 is what two positions need


def test_two_runtimes_of_its_own_run_the_file_as_it_is(folder: Path):
    found = ran(folder, "run", "model.onnx", "--framework", "onnxruntime", "--threads", "1,2")
    assert found.code == 0
    assert "rebuilt as layers" not in found.err
    two = pairs_of(folder, "run", "model.onnx", "--framework", "numpy,torch")
    assert [one[0] for one in two] == ["runtime"]


def test_a_model_is_run_beside_cases(folder: Path):
    found = ran(folder, "run", "case.yaml", "model.onnx", "--framework", "numpy")
    assert found.code == 0
    assert "OK model.onnx: 3 layers, the same bits whatever the batch size" in found.out
    assert "1 case: 1 ok; 1 net: 1 ok (exit 0)" in found.out


def test_a_model_that_is_not_read_ends_the_run_in_a_line(folder: Path):
    (folder / "bad.onnx").write_bytes(b"\x00")
    found = ran(folder, "run", "case.yaml", "bad.onnx", "--framework", "numpy")
    assert found.code == 2
    assert len(found.err.splitlines()) == 1


@pytest.mark.parametrize("command", [("run",), ("trace", "--as-layers")])
def test_what_is_said_again_rebuilds_the_layers_too(folder: Path, command: tuple[str, ...]):
    asked = ("model.onnx", "--framework", "onnxruntime", "--kernel", "none_here:none")
    found = ran(folder, *command, *asked, "--lengths", "30")
    assert found.code == 125
    (again,) = [line for line in found.out.splitlines() if line.startswith("  again")]
    assert again.split()[1:4] == ["convdiff", "trace", "model.onnx"]
    assert "--as-layers" in again
