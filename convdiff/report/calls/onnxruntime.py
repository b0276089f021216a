"""ONNX Runtime: a node in a session; how it is optimised, and what is constant, are modes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from convdiff.report.calls import PRODUCTS
from convdiff.worker.framework import CONSTANT
from convdiff.worker.frameworks.onnxruntime import MODES as LEVELS
from convdiff.worker.frameworks.onnxruntime import TYPES
from convdiff.worker.onnx_nodes import AUTO_PAD
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import LIMITS

WORDS = ("valid", "same", "same_lower")
MODES = (*LEVELS, CONSTANT)

TEXT = """\
def convolve(x, w, b, a, threads):
    import onnx
    import onnxruntime

    make, kind = onnx.helper.make_node, onnx.TensorProto.%(kind)s
    feed = {"a": %(x)s, "b": %(w)s, "c": b, "d": %(a)s}
    feed = {name: np.ascontiguousarray(one) for name, one in feed.items() if one is not None}
    own = [name for name in feed if name != "d"]
%(nodes)s
    nodes[-1].output[0] = "y"
%(held)s    inputs = [
        onnx.helper.make_tensor_value_info(name, kind, %(shape)s)
        for name, one in feed.items()
    ]
    output = onnx.helper.make_tensor_value_info("y", kind, None)
    graph = onnx.helper.make_graph(nodes, "graph", inputs, [output]%(given)s)
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads%(level)s
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return %(back)s
"""
FED = {"held": "", "given": "", "shape": "[None] * one.ndim"}
HELD = {
    "held": "    held = [onnx.numpy_helper.from_array(feed.pop(name), name) for name in own[1:]]\n",
    "given": ", held",
    "shape": '[None, *one.shape[1:]] if name == "a" else [None] * one.ndim',
}
"""What differs where filter and bias are constants: all is known but how many images."""
MATMUL = """\
    nodes = [make("MatMul", own[:2], ["before"])]
    if b is not None:
        nodes[-1].output[0] = "product"
        nodes.append(make("Add", ["product", "c"], ["before"]))
"""
RESULT = "session.run(None, feed)[0]"
LEVEL = "\n    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.{}"
LIMIT = """\
    for name, limit in (("low", {}), ("high", {})):
        value = onnx.helper.make_tensor(name, kind, [], [limit])
        nodes.append(make("Constant", [], [name], value=value))
"""
STEPS = {
    "relu": '    nodes.append(make("Relu", ["before"], ["y"]))\n',
    "relu6": LIMIT.format(*LIMITS["relu6"])
    + '    nodes.append(make("Clip", ["before", "low", "high"], ["y"]))\n',
    "add": '    nodes.append(make("Add", ["before", "d"], ["y"]))\n',
}


def text(conv: Convolution, modes: Sequence[str], version: str) -> str:
    """See the package."""
    nodes, facts = _product() if conv.op in PRODUCTS else _spatial(conv)
    nodes += STEPS.get(conv.then, "")
    facts["kind"] = TYPES[conv.dtype]
    facts["level"] = "".join(LEVEL.format(LEVELS[one]) for one in modes if one in LEVELS)
    filters = HELD if CONSTANT in modes else FED
    return TEXT % {**facts, **filters, "nodes": nodes.rstrip("\n")}


def _product() -> tuple[str, dict[str, str]]:
    """Return the nodes of a matrix product, and how its arrays lie."""
    return MATMUL, {"x": "x", "w": "w[0]", "a": "a", "back": RESULT}


def _spatial(conv: Convolution) -> tuple[str, dict[str, str]]:
    """Return the node of a convolution, and how its arrays lie: channels first."""
    name, w = "Conv", "np.moveaxis(w, (-1, -2), (0, 1))"
    if conv.transposed:
        name, w = "ConvTranspose", f"iohw(w, {conv.groups})"
    nodes = f'    nodes = [make("{name}", own, ["before"], **{_attributes(conv)!r})]\n'
    facts = {
        "x": "np.moveaxis(x, -1, 1)",
        "w": w,
        "a": "None if a is None else np.moveaxis(a, -1, 1)",
        "back": f"np.moveaxis({RESULT}, 1, -1)",
    }
    return nodes, facts


def _attributes(conv: Convolution) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "kernel_shape": list(conv.own(conv.kernel)),
        "strides": list(conv.own(conv.strides)),
        "dilations": list(conv.own(conv.dilations)),
        "group": conv.groups,
    }
    if not isinstance(conv.padding, str):
        pads = conv.own(conv.padding)
        attributes["pads"] = list(chain.from_iterable(zip(*pads, strict=True)))
    elif AUTO_PAD.get(conv.padding):
        attributes["auto_pad"] = AUTO_PAD[conv.padding]
    if any(conv.output_padding):
        attributes["output_padding"] = list(conv.own(conv.output_padding))
    return attributes
