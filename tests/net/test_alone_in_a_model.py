"""A layer alone has its filter as the model has it, so that it has the bits of the net."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import need
from model_runs import runtime_of
from program import convdiff

from convdiff.case.load_net import load_net
from convdiff.lab.session import Session
from convdiff.net.models.extract import extract
from convdiff.net.models.formats import read_model
from convdiff.net.trace.run import TraceAsk, trace
from convdiff.pipeline import Ask
from convdiff.report.trace_summary import summarise_trace
from convdiff.runtime.constant import as_in_a_model, is_fed
from convdiff.runtime.matrix import interpreters

pytestmark = [pytest.mark.framework, pytest.mark.slow]

SPECS = {"onnxruntime": "onnxruntime", "openvino": "openvino:f32"}
NET = """
name: three
input: {normal: 1, seed: 7}
lengths: 6
height: 3
layers:
  - conv2d: {filter: {normal: 0.2, shape: [3, 3, 3, 16], seed: 1}, padding: same}
  - relu
  - conv2d: {filter: {normal: 0.1, shape: [3, 3, 16, 16], seed: 6}, padding: same}
"""


def written(path: Path) -> Path:
    """Write an ONNX model of an ordinary, a depthwise, a grouped convolution and a product."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes: list[Any] = []
    held: list[Any] = []

    def constant(*shape: int) -> str:
        name = f"w{len(held)}"
        array = rng.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
        held.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def node(op: str, given: list[str], **attributes: Any) -> str:
        name = f"{op}{len(nodes)}"
        nodes.append(helper.make_node(op, given, [name], name, **attributes))
        return name

    x = "input"
    for groups, shape in ((1, (16, 3, 3, 3)), (16, (16, 1, 3, 3)), (2, (16, 8, 3, 3))):
        given = [x, constant(*shape), constant(shape[0])]
        x = node("Conv", given, kernel_shape=[3, 3], pads=[1] * 4, group=groups)
        x = node("Relu", [x])
    x = node("Flatten", [node("GlobalAveragePool", [x])])
    x = node("Gemm", [x, constant(16, 10), constant(10)])
    info = helper.make_tensor_value_info
    ends = [info("input", TensorProto.FLOAT, [1, 3, 9, 9])], [info(x, TensorProto.FLOAT, [1, 10])]
    graph = helper.make_graph(nodes, "small", *ends, held)
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return path


@pytest.mark.parametrize("name", SPECS)
def test_every_layer_alone_has_the_bits_that_it_has_in_the_net(name: str, tmp_path: Path):
    need(name)
    model, runtime = read_model(written(tmp_path / "small.onnx")), runtime_of(SPECS[name])
    sums = [layer.name for layer in model.net.layers if layer.kind.family == "op"]
    assert len(sums) == 4
    with Session([runtime.interpreter], 60) as session:
        for layer in sums:
            made = extract(model, layer, None, tmp_path / f"{layer}.yaml", runtime, session)
            assert (made.alone, made.differing) == ("same", 0), layer
            assert made.elements > 0
            assert made.runtime.id == as_in_a_model(runtime).id == f"{runtime.id}+constant"


def test_extract_names_the_runtime_that_has_the_bits(tmp_path: Path):
    need("onnxruntime")
    written(tmp_path / "small.onnx")
    asked = ("extract", "small.onnx", "--layer", "Conv0", "-o", "conv.yaml")
    ran = convdiff(*asked, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "next: convdiff run conv.yaml --framework onnxruntime:cpu+constant" in ran.out


@pytest.mark.parametrize("name", SPECS)
def test_a_layer_that_trace_isolates_has_the_bits_of_the_net(name: str, tmp_path: Path):
    need(name)
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    spec = {"onnxruntime": "onnxruntime", "openvino": "openvino:cpu+f32"}[name]
    with Session(interpreters(("numpy", spec), (), (), (), ()), 60) as session:
        session.start()
        ask = TraceAsk(examine=Ask())
        result = trace(load_net(path), session, ask, lambda *_: None)
    (entry,) = result.entries
    assert (entry.layer, entry.alone, entry.verdict) == ("conv2d_1", "same", "rounding")
    assert entry.is_proved
    assert entry.result is not None
    assert [is_fed(one) for one in entry.result.runtimes] == [False, False]
    assert f"{spec.split(':')[0]}:cpu" in entry.result.runtimes[1].id
    assert entry.result.runtimes[1].id.endswith("+constant")
    lines = summarise_trace(result, "").lines
    (said,) = (line.text for line in lines if line.label.text == "entry")
    assert said.endswith("alone, with its real input, it gives the bits that it has in the net")
