"""What each operation of a TensorFlow graph is as a layer: a table.

tensorflow.org/api_docs/python/tf/raw_ops. Data are NHWC; what is left out has its default there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convdiff.case.layout import Order
from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.constants import check_small, packed, sliced
from convdiff.net.models.joins import concat, joined
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.moves import CONV_TRANSPOSE, Moves, Pads
from convdiff.net.models.operation import Handler, Operation, identity, padded, refuse_other_axes
from convdiff.net.models.reshaping import expanded, extents_left, reshaped, resolved, transposed
from convdiff.net.models.tflite_ops import to_shape


def _refuse_nchw(node: Operation) -> None:
    if not node.attributes.get("data_format", "NHWC").endswith("C"):
        raise UnreadError(f"data_format {node.attributes['data_format']}")


def _padding(node: Operation) -> Pads:
    word = node.attributes["padding"]
    if word != "EXPLICIT":
        return str(word).lower()
    pads = node.attributes["explicit_paddings"]
    return tuple(zip(pads[2:-2:2], pads[3:-2:2], strict=True))


def _moves(node: Operation) -> Moves:
    _refuse_nchw(node)
    dilations = node.attributes.get("dilations") or [1] * len(node.attributes["strides"])
    return Moves(node.attributes["strides"][1:-1], dilations[1:-1], _padding(node))


def _conv(building: Building, node: Operation) -> Tensor:
    x, weights = node.x(building), node.needed(building, 1)
    groups = x.extents["C"] // max(1, weights.shape[-2])
    order, conv = _moves(node).channels_last(weights.shape, groups)
    return building.conv(node.name, x, weights, order, None, conv)


def _depthwise(building: Building, node: Operation) -> Tensor:
    x, weights, moves = node.x(building), node.needed(building, 1), _moves(node)
    rows, columns, groups, _ = weights.shape
    flat = weights.reshape(rows, columns, 1, -1)
    order, conv = moves.channels_last(flat.shape, groups)
    return building.conv(node.name, x, flat, order, None, conv)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    x, weights = node.x(building, 2), node.needed(building, 1)
    wanted = node.numbers(building, 0)
    strides = node.attributes["strides"][1:-1]
    if set(_moves(node).dilations) != {1}:
        raise UnreadError("dilations")
    extents = wanted[-3:-1] if len(wanted) == 4 else wanted
    moves = to_shape(x, weights.shape[:2], strides, extents)
    if _padding(node) == "valid" and moves.padding != ((0, 0), (0, 0)):
        raise UnreadError(f"an output of {wanted} without padding")
    rows, columns, outer, inner = weights.shape
    conv = moves.convolution((rows, columns), (inner, outer), CONV_TRANSPOSE[2])
    return building.conv(node.name, x, weights, Order("HWOI", "HWIO"), None, conv)


def _matmul(building: Building, node: Operation) -> Tensor:
    weights = node.needed(building, 1)
    if node.attributes.get("transpose_a") or node.attributes.get("adj_x"):
        raise UnreadError("transposes its data")
    if node.attributes.get("transpose_b") or node.attributes.get("adj_y"):
        weights = weights.T
    return building.dense(node.name, node.x(building), weights, None)


def _pool(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        size = node.attributes["ksize"][1:-1]
        return building.pool(node.name, op, node.x(building), size, _moves(node))

    return handler


def _reduce(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        x = node.x(building)
        refuse_other_axes(x, node.numbers(building, 1))
        keep = bool(node.attributes.get("keep_dims", 0))
        return building.pool_all(node.name, op, x, keep=keep)

    return handler


def _batch_norm(building: Building, node: Operation) -> Tensor:
    _refuse_nchw(node)
    if node.attributes.get("is_training", 1):
        raise UnreadError("as in training; export it for inference")
    arrays = [node.needed(building, number) for number in range(1, 5)]
    epsilon = node.attributes.get("epsilon", 1e-4)
    return building.batch_norm(node.name, node.x(building), arrays, epsilon)


def _same(op: str, function: Callable[[Array], Array] | None = None, **settings: Any) -> Handler:
    """Return what adds an elementwise layer; function: what it makes of a constant."""

    def handler(building: Building, node: Operation) -> Tensor | Array:
        value = node.operands(building)[0]
        if isinstance(value, Tensor):
            return building.same(node.name, op, value, **settings)
        if function is None:
            raise UnreadError("of a constant")
        check_small(value.size)
        with np.errstate(all="ignore"):
            return function(value)

    return handler


def _leaky_relu(building: Building, node: Operation) -> Tensor:
    alpha = float(node.attributes.get("alpha", 0.2))
    return building.same(node.name, "leaky_relu", node.x(building), alpha=alpha)


def _rsqrt(building: Building, node: Operation) -> Array:
    array = node.needed(building, 0)
    check_small(array.size)
    with np.errstate(all="ignore"):
        return array.dtype.type(1) / np.sqrt(array)


def _softmax(building: Building, node: Operation) -> Tensor:
    return building.softmax(node.name, node.x(building), -1)


def _concat(building: Building, node: Operation) -> Tensor:
    *names, axis = node.inputs
    number = int(np.ravel(building.constant(axis))[0])
    return concat(building, node.name, [building.tensor(name) for name in names], number)


def _identities(building: Building, node: Operation) -> Tensor | Array:
    node.operands(building)  # all of them are known, or none is
    return identity(building, node)


def _variable(building: Building, node: Operation) -> Array:
    return node.needed(building, 0)


def _constant(building: Building, node: Operation) -> Array:
    array: Array = node.attributes["value"]
    return array


def _reshape(building: Building, node: Operation) -> Tensor | Array:
    value = node.operands(building)[0]
    shape = resolved(tuple(value.shape), node.numbers(building, 1), zero_copies=False)
    return reshaped(building, node.name, value, shape)


def _squeeze(building: Building, node: Operation) -> Tensor | Array:
    value, axes = node.operands(building)[0], node.attributes.get("squeeze_dims") or []
    if not axes and not isinstance(value, Tensor):
        return value.squeeze()
    return reshaped(building, node.name, value, extents_left(value.shape, axes))


def _expand(building: Building, node: Operation) -> Tensor | Array:
    value, axis = node.operands(building)[0], node.numbers(building, 1)[0]
    return expanded(building, node.name, value, axis)


def _transpose(building: Building, node: Operation) -> Tensor | Array:
    value, order = node.operands(building)[0], node.numbers(building, 1)
    return transposed(building, node.name, value, order)


def _shape(building: Building, node: Operation) -> Array:
    return np.array(node.operands(building)[0].shape, "int32")


def _slice(building: Building, node: Operation) -> Array:
    value, *bounds = (node.needed(building, number) for number in range(4))
    masks = ("begin_mask", "end_mask", "shrink_axis_mask")
    opens, ends, shrinks = (bool(node.attributes.get(mask, 0) & 1) for mask in masks)
    return sliced(value, bounds, opens=opens, ends=ends, shrinks=shrinks)


def _pack(building: Building, node: Operation) -> Array:
    constants = [building.constant(name) for name in node.inputs]
    return packed(constants, node.attributes.get("axis", 0))


OPS: Mapping[str, Handler] = {
    "Conv2D": _conv,
    "Conv3D": _conv,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _conv_transpose,
    "MatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BiasAdd": joined("add"),
    "MaxPool": _pool("max_pool"),
    "AvgPool": _pool("avg_pool"),
    "MaxPool3D": _pool("max_pool"),
    "AvgPool3D": _pool("avg_pool"),
    "Mean": _reduce("global_avg_pool"),
    "Max": _reduce("global_max_pool"),
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "Relu": _same("relu"),
    "Relu6": _same("relu6"),
    "LeakyRelu": _leaky_relu,
    "Elu": _same("elu"),
    "Selu": _same("selu"),
    "Sigmoid": _same("sigmoid"),
    "Tanh": _same("tanh"),
    "Softplus": _same("softplus"),
    "Softsign": _same("softsign"),
    "Exp": _same("exp", np.exp),
    "Log": _same("log", np.log),
    "Sqrt": _same("sqrt", np.sqrt),
    "Abs": _same("abs", np.abs),
    "Neg": _same("negative", np.negative),
    "Rsqrt": _rsqrt,
    "Softmax": _softmax,
    "Add": joined("add"),
    "AddV2": joined("add"),
    "Sub": joined("subtract"),
    "Mul": joined("multiply"),
    "RealDiv": joined("divide"),
    "Maximum": joined("maximum"),
    "Minimum": joined("minimum"),
    "ConcatV2": _concat,
    "Pad": padded,
    "PadV2": padded,
    "Identity": identity,
    "IdentityN": _identities,
    "StopGradient": identity,
    "ReadVariableOp": _variable,
    "Const": _constant,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "ExpandDims": _expand,
    "Transpose": _transpose,
    "Shape": _shape,
    "StridedSlice": _slice,
    "Pack": _pack,
}
"""Those that are layers here, of NHWC data, or shapes."""
