"""The onnx package's own test models: read, rebuilt, and run as they are."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_runs import output_of, runtime_of
from onnx import helper, numpy_helper
from onnx.backend.test.case import node
from soak import one_in

from convdiff.net.models.formats import read_model
from convdiff.net.models.limits import ModelError
from convdiff.net.models.subject import refuse_unread
from convdiff.plan.cell import NoBits

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
FOLDERS = ("pytorch-converted", "pytorch-operator", "simple")
REFUSED = {
    "numpy": set(),
    "torch": set(),
    "jax": set(),
    "onnxruntime": set(),
    # It has no float64.
    "openvino:f32": {"test_operator_addconstant"},
    # oneDNN's convolution of three dimensions has no groups; a pool has strides or dilations.
    "tensorflow": {
        "test_Conv3d_groups",
        "test_MaxPool1d_stride_padding_dilation",
        "test_MaxPool2d_stride_padding_dilation",
    },
}
"""By framework, what it refuses itself."""
MODULES = (
    *("averagepool", "batch_normalization", "conv", "convtranspose", "gemm"),
    *("globalaveragepool", "globalmaxpool", "matmul", "maxpool"),
)
"""Of onnx.backend.test.case.node."""
NAMES = {name.replace("_", "") for name in MODULES}
REFUSED_CASES = {
    *("test_batchnorm_example_training_mode", "test_batchnorm_epsilon_training_mode"),
    *("test_convtranspose_output_shape", "test_convtranspose_kernel_shape"),
    *("test_gemm_default_matrix_bias", "test_gemm_transposeA", "test_gemm_all_attributes"),
    *("test_matmul_3d", "test_matmul_4d", "test_matmul_bcast", "test_matmul_1d_3d"),
    *("test_matmul_4d_1d", "test_matmul_1d_1d", "test_maxpool_2d_uint8"),
}
"""As in training; of another output shape; products of two matrices, or of more axes; of bytes."""
WRITTEN_SHORT = "test_averagepool_2d_ceil_last_window_starts_on_pad"
"""Its output is written with four digits."""
LACKING = {"numpy": 0, "torch": 6, "onnxruntime": 0, "openvino:f32": 0, "tensorflow": 5}
"""How many of the others a framework has no layer for: pools with dilations."""
OF_CONVOLUTIONS = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "BatchNormalization", "Gemm"}


@cache
def models():
    """Return all models by the names of their folders."""
    paths = [path for name in FOLDERS for path in sorted((DATA / name).iterdir())]
    return {path.name: read_model(path / "model.onnx") for path in paths}


def whole():
    return {name: one for name, one in models().items() if not one.unread and one.net.layers}


def stored(model, name: str, number: int = 0):
    path = Path(model.file).parent / "test_data_set_0" / f"{name}_{number}.pb"
    return numpy_helper.to_array(onnx.load_tensor(str(path)))


def check(found, wanted) -> None:
    assert found.shape == wanted.shape
    slack = 2e-5 * np.nanmax(np.abs(wanted), initial=0.0) + 1e-6
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=slack)


def test_so_many_are_read():
    assert len(models()) == 140
    assert len(whole()) == 81
    of_convolutions = [
        name for name, one in whole().items() if {n.op for n in one.nodes} & OF_CONVOLUTIONS
    ]
    assert len(of_convolutions) == 52


def test_no_more_could_be_than_these():
    """55 of the 140 hold such an operation; two of them multiply two computed matrices."""
    any_of = OF_CONVOLUTIONS | {"MatMul"}
    held = {name: one for name, one in models().items() if {n.op for n in one.nodes} & any_of}
    assert len(held) == 55
    left = {name for name, one in held.items() if one.unread}
    assert left == {"test_operator_addmm", "test_operator_mm"}


def node_cases():
    """Return onnx's cases of one such operator: a model, what it reads, and what it gives.

    Their weights are constants here, as in a model; there they are inputs.
    """
    for name in MODULES:
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    cases = {one.name: one for one in node._NodeTestCases}
    for name, case in cases.items():
        operators = [one.op_type for one in case.model.graph.node]
        if len(operators) != 1 or operators[0].lower() not in NAMES:
            continue
        (given, outputs), model = case.data_sets[0], onnx.ModelProto()
        model.CopyFrom(case.model)
        graph = model.graph
        for value, array in zip(graph.input[1:], given[1:], strict=True):
            graph.initializer.append(numpy_helper.from_array(array, value.name))
        del graph.input[1:]
        yield name, model, given[0], outputs[0]


@one_in(2, "spec", LACKING)
def test_cases_of_single_operators_give_what_onnx_says(spec, runs_framework, workers, tmp_path):
    refused, held, lacking = set(), 0, set()
    for name, proto, x, wanted in node_cases():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(proto.SerializeToString())
        model = read_model(path)
        if model.unread:
            refused.add(name)
            continue
        found = output_of(model, x, spec, workers)
        if isinstance(found, NoBits):
            lacking.add(name)
            continue
        if name == WRITTEN_SHORT:
            np.testing.assert_allclose(found, wanted, rtol=5e-4)
        else:
            check(found, wanted)
        held += 1
    assert refused == REFUSED_CASES
    assert (held, len(lacking)) == (68 - LACKING[spec], LACKING[spec])
    assert all("dilations" in name for name in lacking)


def test_a_second_input_is_named_as_such(tmp_path):
    weights = numpy_helper.from_array(np.ones((2, 3, 1, 3), "float32"), "w")
    inputs = [helper.make_tensor_value_info(one, 1, [1, 3, 1, 8]) for one in "ab"]
    output = helper.make_tensor_value_info("y", 1, None)
    nodes = [helper.make_node("Conv", [one, "w"], [f"c{one}"]) for one in "ab"]
    nodes.append(helper.make_node("Add", ["ca", "cb"], ["y"]))
    graph = helper.make_graph(nodes, "two", inputs, [output], [weights])
    onnx.save(helper.make_model(graph), tmp_path / "two.onnx")
    model = read_model(tmp_path / "two.onnx")
    said = {node.name: node.unread for node in model.unread}
    assert said == {
        "cb": "a further input of the model; a net here has one",
        "y": "reads what is not known",
    }


def test_one_number_of_a_shape_is_a_constant(tmp_path):
    """As PyTorch writes x.reshape(x.shape[0], -1)."""
    numbers = {"w": np.ones((2, 2, 1, 3), "float32"), "zero": 0, "axes": [0], "rest": [-1]}
    held = [numpy_helper.from_array(np.asarray(one), name) for name, one in numbers.items()]
    given = helper.make_tensor_value_info("x", 1, [1, 2, 1, 8])
    output = helper.make_tensor_value_info("y", 1, None)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Shape", ["c"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["images"]),
        helper.make_node("Unsqueeze", ["images", "axes"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["c", "wanted"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "flat", [given], [output], held)
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset]), tmp_path / "flat.onnx")
    model = read_model(tmp_path / "flat.onnx")
    assert not model.unread
    assert model.activations[model.net.outputs[0]].shape == (1, 12)


def test_what_is_not_read_is_refused_by_operation_and_name():
    refused = {name: one for name, one in models().items() if name not in whole()}
    assert len(refused) == 59
    for model in refused.values():
        with pytest.raises(ModelError) as error:
            refuse_unread(model)
        first = model.unread[0]
        assert f"{first.name} is {first.op}: " in str(error.value)


@one_in(2, "spec", REFUSED)
def test_rebuilt_they_give_what_is_stored(spec, runs_framework, workers):
    refused = set()
    for name, model in whole().items():
        found = output_of(model, stored(model, "input"), spec, workers)
        if isinstance(found, NoBits):
            refused.add(name)
            continue
        check(found, stored(model, "output"))
    assert refused == REFUSED[spec]


def test_as_they_are_they_give_what_is_stored(runs_framework, workers):
    """But those of operators so old that ONNX Runtime has them no more."""
    ran, old = 0, 0
    interpreter = runtime_of("onnxruntime").interpreter
    for model in whole().values():
        data = np.frombuffer(Path(model.file).read_bytes(), np.uint8)
        load = {"do": "model", "ask": "load", "key": "m", "optimise": True}
        loaded = workers.ask(interpreter, load, [data])
        if isinstance(loaded, NoBits):
            assert "NOT_IMPLEMENTED" in loaded.reason
            old += 1
            continue
        run = {"do": "model", "ask": "run", "key": "m", "feeds": list(model.inputs)}
        outputs = {**run, "outputs": list(model.outputs)}
        answers = workers.ask(interpreter, outputs, [stored(model, "input")])
        assert not isinstance(answers, NoBits), answers
        check(answers[0], stored(model, "output"))
        ran += 1
    assert ran >= 50, (ran, old)
