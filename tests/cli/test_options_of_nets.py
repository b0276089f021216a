"""What a net is asked for is done, or refused in one line."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from program import convdiff

NET = """
name: net
input: {normal: 1, seed: 1}
lengths: [20, 24]
layers:
  - conv2d: {filter: {normal: 1, shape: [1, 3, 3, 4], seed: 2}, name: first}
  - relu
  - global_avg_pool: {name: pool}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a net that has a global pool, as a case and as a model file."""
    (tmp_path / "net.yaml").write_text(NET)
    weights = numpy_helper.from_array(np.ones((4, 3, 3), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "T"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 1])
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "first"),
        helper.make_node("GlobalAveragePool", ["c"], ["y"], "pool"),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [weights])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    return tmp_path


@pytest.mark.parametrize("command", ["run", "trace"])
def test_every_runtime_is_compared_with_every_other_where_that_is_asked(folder, command):
    asked = ("net.yaml", "--framework", "numpy", "--lengths", "20", "--vary", "A=1,2,3")
    sides = [f"numpy:cpu[A={value}]" for value in (1, 2, 3)]
    for more, expected in (
        ((), [(sides[0], sides[1]), (sides[0], sides[2])]),
        (("--pairwise",), list(combinations(sides, 2))),
    ):
        ran = convdiff(command, *asked, *more, "--json", "-", cwd=folder)
        pairs = json.loads(ran.out)["pairs"]
        found = [(one["baseline"]["runtime"], one["candidate"]["runtime"]) for one in pairs]
        assert (ran.code, sorted(found)) == (0, expected)


@pytest.mark.parametrize("option", [("--whole",), ("--channels-out", "1")])
@pytest.mark.parametrize("net", ["net.yaml", "net.onnx"])
def test_what_a_net_has_not_is_refused(folder, net, option):
    for command in ("run", "sweep"):
        ran = convdiff(command, net, "--framework", "numpy", *option, cwd=folder)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert f"{option[0]} is of a case with one convolution" in ran.err


@pytest.mark.parametrize(
    "option",
    [
        *(("--lengths", "20..24"), ("--batch", "1,4"), ("--layers", "f"), ("--until", "first")),
        *(("--keep", "kept"), ("--save", "a.safetensors"), ("--baseline", "a.safetensors")),
    ],
    ids=lambda option: option[0],
)
def test_what_a_file_as_it_is_has_not_is_refused(folder, option):
    ran = convdiff("trace", "net.onnx", "--threads", "1,2", *option, cwd=folder)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"{option[0]} is of nets with layers" in ran.err and "--as-layers" in ran.err


@pytest.mark.parametrize("net", ["net.yaml", "net.onnx"])
def test_a_pool_of_the_whole_length_is_named_where_lengths_can_t_be_compared(folder, net):
    ran = convdiff("sweep", net, "--framework", "numpy", "--lengths", "20,24", cwd=folder)
    text = " ".join(ran.out.split())
    assert ran.code == 125
    assert "nothing was compared: pool (global_avg_pool) reads the whole length" in text
    assert "pad all inputs to one length, or compare --batch or --threads" in text


def test_help_says_what_a_net_s_recording_is():
    text = " ".join(convdiff("trace", "--help").out.split())
    assert "--save FILE.safetensors" in text and ".json for review" not in text
