"""What each ONNX operation is as a layer: a table, held to the operators' own texts.

https://onnx.ai/onnx/operators/: what an attribute means, and what it is where it is not given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import TRAINING, Building
from convdiff.net.models.constants import check_small
from convdiff.net.models.joins import concat, joined, prelu
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.moves import CONV, CONV_TRANSPOSE, Moves, Pads
from convdiff.net.models.onnx_shapes import SHAPES
from convdiff.net.models.operation import (
    Handler,
    Operation,
    elementwise,
    gelu,
    identity,
    refuse_other_axes,
)

AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def _pads(node: Operation, rank: int) -> Pads:
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto in AUTO_PAD:
        return AUTO_PAD[auto]
    if auto != "NOTSET":
        raise UnreadError(f"auto_pad {auto}")
    return _pairs(node.attributes.get("pads", [0] * 2 * rank), rank)


def _pairs(pads: list[int], rank: int) -> tuple[tuple[int, int], ...]:
    if len(pads) != 2 * rank:
        raise UnreadError(f"{len(pads)} pads of {rank} axes")
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def _moves(node: Operation, rank: int) -> Moves:
    given = node.attributes.get
    strides, dilations = given("strides", ()), given("dilations", ())
    return Moves(strides, dilations, _pads(node, rank), given("output_padding", ()))


def _conv(building: Building, node: Operation, ops: Mapping[int, str] = CONV) -> Tensor:
    x, weights = node.x(building), node.needed(building, 1)
    if ops is CONV_TRANSPOSE and "output_shape" in node.attributes:
        raise UnreadError("output_shape")
    moves = _moves(node, weights.ndim - 2)
    if weights.ndim - 2 not in ops:
        raise UnreadError(f"a filter of {weights.ndim} axes")
    order, conv = moves.channels_first(weights.shape, ops, node.attributes.get("group", 1))
    return building.conv(node.name, x, weights, order, node.constant(building, 2), conv)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    return _conv(building, node, CONV_TRANSPOSE)


def _gemm(building: Building, node: Operation) -> Tensor:
    given = node.attributes.get
    if given("transA", 0):
        raise UnreadError("transA")
    x, weights = node.x(building), node.needed(building, 1)
    bias = node.constant(building, 2)
    weights = weights.T if given("transB", 0) else weights
    if bias is not None and bias.size == 1:
        bias = np.broadcast_to(bias.reshape(1), weights.shape[1:])
    if bias is not None and bias.shape not in (weights.shape[1:], (1, *weights.shape[1:])):
        raise UnreadError("a bias that is no value an output")
    weights = _scaled(weights, given("alpha", 1.0))
    bias = None if bias is None else _scaled(bias, given("beta", 1.0))
    return building.dense(node.name, x, weights, bias)


def _scaled(array: Array, factor: float) -> Array:
    """Return an array times a power of two, which rounds nothing. Raises UnreadError for others."""
    if math.frexp(factor)[0] != 0.5:
        raise UnreadError(f"alpha or beta of {factor:g}: no power of two")
    scaled = array * array.dtype.type(factor)
    if not np.array_equal(scaled / array.dtype.type(factor), array):
        raise UnreadError(f"alpha or beta of {factor:g} rounds its numbers")
    return scaled


def _matmul(building: Building, node: Operation) -> Tensor:
    x, weights = node.x(building), node.needed(building, 1)
    return building.dense(node.name, x, weights, None)


def _pool(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        size = node.attributes["kernel_shape"]
        more = {"ceil_mode": bool(node.attributes.get("ceil_mode", 0))}
        if op == "avg_pool":
            more["count_include_pad"] = bool(node.attributes.get("count_include_pad", 0))
        moves = _moves(node, len(size))
        return building.pool(node.name, op, node.x(building), size, moves, **more)

    return handler


def _global(op: str) -> Handler:
    return lambda building, node: building.pool_all(node.name, op, node.x(building), keep=True)


def _reduce(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        x = node.x(building)
        refuse_other_axes(x, node.ints(building, "axes", 1) or range(len(x.axes)))
        keep = bool(node.attributes.get("keepdims", 1))
        return building.pool_all(node.name, op, x, keep=keep)

    return handler


def _batch_norm(building: Building, node: Operation) -> Tensor:
    if node.attributes.get("training_mode", 0) or node.attributes.get("spatial", 1) != 1:
        raise UnreadError(TRAINING)
    arrays = [building.constant(name) for name in node.inputs[1:5]]
    epsilon = node.attributes.get("epsilon", 1e-5)
    return building.batch_norm(node.name, node.x(building), arrays, epsilon)


def _selu(building: Building, node: Operation) -> Tensor:
    if any(round(value, 4) not in (1.6733, 1.0507) for value in node.attributes.values()):
        raise UnreadError("alpha or gamma of its own")
    return building.same(node.name, "selu", node.x(building))


def _clip(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    format = "float32" if building.dtype == "bfloat16" else building.dtype
    far = float(np.finfo(format).max)
    limits = {"min": -far, "max": far}
    for number, name in enumerate(limits, 1):
        value = node.constant(building, number)
        if value is None:
            value = node.attributes.get(name)
        if value is not None:
            limits[name] = float(value)
    return building.same(node.name, "clip", x, low=limits["min"], high=limits["max"])


def _prelu(building: Building, node: Operation) -> Tensor:
    x, slope = node.x(building), node.needed(building, 1)
    if node.version < 7 and slope.ndim == 1:  # before broadcasting: one a channel
        slope = x.of_channels(slope)
    return prelu(building, node.name, x, slope)


def _softmax(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    whole = node.version < 13  # all axes from this one on, as one
    axis = node.attributes.get("axis", 1 if whole else -1)
    if whole:
        letters = x.axes[axis:]
        if [letter for letter in letters if x.extents[letter] > 1] != ["C"]:
            raise UnreadError(f"softmax over {letters} as one")
        axis = x.axes.index("C")
    return building.softmax(node.name, x, axis)


def _concat(building: Building, node: Operation) -> Tensor | Array:
    axis, operands = node.attributes["axis"], node.operands(building)
    constants = [one for one in operands if not isinstance(one, Tensor)]
    if len(constants) < len(operands):
        return concat(building, node.name, node.tensors(building), axis)
    check_small(sum(array.size for array in constants))
    return np.concatenate(constants, axis)


def _pad(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    if node.attributes.get("mode", "constant") != "constant":
        raise UnreadError(f"pads by {node.attributes['mode']}")
    if node.has(3):
        raise UnreadError("pads axes by number")
    attribute = "paddings" if "paddings" in node.attributes else "pads"
    pads = node.ints(building, attribute, 1) or []
    value, array = node.attributes.get("value", 0.0), node.constant(building, 2)
    if array is not None:
        value = float(np.ravel(array)[0])
    pairs = dict(zip(x.axes, _pairs(pads, len(x.axes)), strict=True))
    return building.pad(node.name, x, pairs, value)


def _dropout(building: Building, node: Operation) -> Tensor | Array:
    if node.has(2) and bool(node.needed(building, 2)):
        raise UnreadError(TRAINING)
    return identity(building, node)


OPS: Mapping[str, Handler] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "GlobalMaxPool": _global("global_max_pool"),
    "GlobalAveragePool": _global("global_avg_pool"),
    "ReduceMean": _reduce("global_avg_pool"),
    "ReduceMax": _reduce("global_max_pool"),
    "BatchNormalization": _batch_norm,
    "Relu": elementwise("relu"),
    "LeakyRelu": elementwise("leaky_relu", alpha=("alpha", 0.01)),
    "Elu": elementwise("elu", alpha=("alpha", 1.0)),
    "Selu": _selu,
    "Gelu": gelu,
    "HardSigmoid": elementwise("hard_sigmoid", alpha=("alpha", 0.2), beta=("beta", 0.5)),
    "HardSwish": elementwise("hard_swish"),
    "Softplus": elementwise("softplus"),
    "Softsign": elementwise("softsign"),
    "Sigmoid": elementwise("sigmoid"),
    "Tanh": elementwise("tanh"),
    "Exp": elementwise("exp"),
    "Log": elementwise("log"),
    "Sqrt": elementwise("sqrt"),
    "Abs": elementwise("abs"),
    "Neg": elementwise("negative"),
    "Clip": _clip,
    "PRelu": _prelu,
    "Softmax": _softmax,
    "Add": joined("add"),
    "Sum": joined("add"),
    "Sub": joined("subtract"),
    "Mul": joined("multiply"),
    "Div": joined("divide"),
    "Max": joined("maximum"),
    "Min": joined("minimum"),
    "Concat": _concat,
    "Pad": _pad,
    "Identity": identity,
    "Dropout": _dropout,
    **SHAPES,
}
"""Those that are layers here, or constants."""
