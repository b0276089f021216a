"""What a net is asked for is done, or refused in one line."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from program import convdiff

pytestmark = pytest.mark.slow

NET = """
name: net
input: {normal: 1, seed: 1}
lengths: [20, 24]
layers:
  - conv2d: {filter: {normal: 1, shape: [1, 3, 3, 4], seed: 2}, name: first}
  - relu
  - global_avg_pool: {name: pool}
"""

KERNEL = '''
import os

import numpy as np


def adding(x, w, b):
    """Adds forwards or backwards."""
    columns, y = x.shape[2] - w.shape[1] + 1, np.float32(0)
    for j, c in list(np.ndindex(*w.shape[1:3]))[:: int(os.environ["ORDER"])]:
        y = y + x[:, :, j : j + columns, c, None] * w[0, j, c]
    return y
'''


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


def test_models_beside_the_cases_of_a_folder_are_told(folder):
    (folder / "net.yaml").write_text(NET.replace("[20, 24]", "20"))
    asked = ("--framework", "numpy", "--threads", "1,2")
    ran = convdiff("run", folder, *asked)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert f"{folder}: net.onnx: not run, since a folder is its .yaml cases" in ran.err
    named = convdiff("run", *ran.err.strip().rsplit("convdiff run ", 1)[1].split(), *asked)
    assert "OK net.onnx" in named.out


@pytest.mark.parametrize(
    ("more", "line"),
    [("expect: {device: bitwise, runtime: bitwise}\n", 9), ("expect:\n  runtime: bitwise\n", 10)],
)
def test_where_to_accept_a_difference_is_said(folder, more, line):
    (folder / "kernels.py").write_text(KERNEL)
    (folder / "net.yaml").write_text(NET + more)
    asked = ("--kernel", "kernels:adding", "--lengths", "20", "--vary", "ORDER=1,-1")
    ran = convdiff("trace", "net.yaml", *asked, cwd=folder)
    assert ran.code == 1, ran
    (accept,) = [one for one in ran.out.splitlines() if one.startswith("  accept")]
    assert accept.endswith(f"at net.yaml:{line}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("expect: {order: locked}", "'expect.order' is of a case with one convolution"),
        ("expect: {baseline_reference: bitwise}", "'expect.baseline_reference' is of a case"),
        ("accept: {length: rounding}", "unknown key 'accept'; did you mean 'expect'?"),
    ],
)
def test_what_no_net_is_held_to_is_refused_at_its_place(folder, text, words):
    (folder / "net.yaml").write_text(NET + text + "\n")
    ran = convdiff("trace", "net.yaml", "--framework", "numpy", cwd=folder)
    assert ran.code == 2
    assert ran.err.startswith("net.yaml:9:") and words in ran.err
