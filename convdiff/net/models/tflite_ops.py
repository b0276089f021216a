"""What each TensorFlow Lite operator is as a layer: a table.

tensorflow/lite/schema/schema.fbs: the numbers of operators and of their options' fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convdiff.case.layout import Order
from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import QUANTISED, Building
from convdiff.net.models.constants import packed, sliced
from convdiff.net.models.flatbuffer import Table
from convdiff.net.models.joins import concat, join, prelu
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.moves import CONV_TRANSPOSE, Moves
from convdiff.net.models.operation import Handler, Operation, padded, refuse_other_axes, same
from convdiff.net.models.reshaping import (
    expanded,
    extents_left,
    reshaped,
    reshaped_layer,
    resolved,
    transposed,
)
from convdiff.worker.ops.convolution import Convolution

PADDING = ("same", "valid")
ACTIVATIONS: Mapping[int, tuple[str, Mapping[str, Any]]] = {
    1: ("relu", {}),
    2: ("clip", {"low": -1.0, "high": 1.0}),
    3: ("relu6", {}),
    4: ("tanh", {}),
}
"""ActivationFunctionType."""
_NONE = Table(memoryview(b"\4\0\4\0\0\0\4\0\0\0"), 6)
"""Options that say nothing: all fields have their defaults."""


def _options(node: Operation) -> Table:
    options: Table | None = node.attributes["options"]
    return _NONE if options is None else options


def _activated(building: Building, node: Operation, x: Tensor, field: int) -> Tensor:
    """Add the activation that the options name in this field."""
    number = _options(node).integer(field, "i8")
    if number == 0:
        return x
    if number not in ACTIVATIONS:
        raise UnreadError(f"fused activation {number}")
    op, settings = ACTIVATIONS[number]
    return building.same(f"{node.name}.{op}", op, x, **settings)


def _ints(options: Table, fields: Sequence[int], default: int = 0) -> tuple[int, ...]:
    return tuple(options.integer(field, "i32", default) for field in fields)


def _moves(node: Operation, strides: Sequence[int], dilations: Sequence[int] = ()) -> Moves:
    """Return how a window moves; strides, dilations: the options' fields."""
    options = _options(node)
    padding = PADDING[options.integer(0, "i8")]
    return Moves(_ints(options, strides), _ints(options, dilations, 1), padding)


def _conv(building: Building, node: Operation) -> Tensor:
    weights = node.needed(building, 1)
    x, groups = node.x(building), 1
    outer, rows, columns, inner = weights.shape
    if x.extents["C"] % inner == 0:
        groups = x.extents["C"] // inner
    moves = _moves(node, (2, 1), (5, 4))
    conv = moves.convolution((rows, columns), (inner * groups, outer), groups=groups)
    return _convolved(building, node, x, Order("OHWI", "HWIO"), conv, 3)


def _convolved(
    building: Building, node: Operation, x: Tensor, order: Order, conv: Convolution, field: int
) -> Tensor:
    """Add a convolution, its filter the second operand, and the activation of this field."""
    weights = node.needed(building, 1)
    bias = node.constant(building, 3 if conv.transposed else 2)
    made = building.conv(node.name, x, weights, order, bias, conv)
    return _activated(building, node, made, field)


def _depthwise(building: Building, node: Operation) -> Tensor:
    weights = node.needed(building, 1)
    x = node.x(building)
    groups, moves = x.extents["C"], _moves(node, (2, 1), (6, 5))
    conv = moves.convolution(weights.shape[1:3], (groups, weights.shape[3]), groups=groups)
    return _convolved(building, node, x, Order("IHWO", "HWIO"), conv, 4)


def _conv_3d(building: Building, node: Operation) -> Tensor:
    weights = node.needed(building, 1)
    order, conv = _moves(node, (1, 3, 2), (5, 7, 6)).channels_last(weights.shape)
    return _convolved(building, node, node.x(building), order, conv, 4)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    options, weights, x = _options(node), node.needed(building, 1), node.x(building, 2)
    wanted = node.numbers(building, 0)
    moves = to_shape(x, weights.shape[1:3], _ints(options, (2, 1)), wanted[1:3])
    if PADDING[options.integer(0, "i8")] == "valid" and moves.padding != ((0, 0), (0, 0)):
        raise UnreadError(f"an output of {wanted} without padding")
    outer, rows, columns, inner = weights.shape
    conv = moves.convolution((rows, columns), (inner, outer), CONV_TRANSPOSE[2])
    return _convolved(building, node, x, Order("OHWI", "HWIO"), conv, 3)


def to_shape(
    x: Tensor, kernel: Sequence[int], strides: Sequence[int], wanted: Sequence[int]
) -> Moves:
    """Return how a transposed filter moves to give so many rows and columns.

    What is too much is cut off at both ends, the odd one at the end, as of SAME.
    """
    pads, longer = [], []
    for letter, taps, stride, extent in zip("HW", kernel, strides, wanted, strict=True):
        beyond = (x.extents[letter] - 1) * stride + taps - extent
        cut = max(0, beyond)
        pads.append((cut // 2, cut - cut // 2))
        longer.append(max(0, -beyond))
    if any(more >= stride for more, stride in zip(longer, strides, strict=True)):
        raise UnreadError(f"an output of {list(wanted)} from strides of {list(strides)}")
    return Moves(strides, (), tuple(pads), longer)


def _fully_connected(building: Building, node: Operation) -> Tensor:
    options, x = _options(node), node.x(building)
    if options.integer(1, "i8"):
        raise UnreadError("weights of a format of their own")
    if len(x.shape) > 2 and not options.integer(2, "u8"):
        shape = [x.shape[0], int(np.prod(x.shape[1:]))]
        x = reshaped_layer(building, f"{node.name}.flatten", x, shape)
    weights = node.needed(building, 1)
    made = building.dense(node.name, x, weights.T, node.constant(building, 2))
    return _activated(building, node, made, 0)


def _pool(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        moves, size = _moves(node, (2, 1)), _ints(_options(node), (4, 3))
        made = building.pool(node.name, op, node.x(building), size, moves)
        return _activated(building, node, made, 5)

    return handler


def _reduce(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        x = node.x(building)
        refuse_other_axes(x, node.numbers(building, 1))
        keep = bool(_options(node).integer(0, "u8"))
        return building.pool_all(node.name, op, x, keep=keep)

    return handler


def _join(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        made = join(building, node.name, op, node.operands(building))
        if op in ("maximum", "minimum"):
            return made
        return _activated(building, node, made, 0)

    return handler


def _concat(building: Building, node: Operation) -> Tensor:
    made = concat(building, node.name, node.tensors(building), _options(node).integer(0))
    return _activated(building, node, made, 1)


def _leaky_relu(building: Building, node: Operation) -> Tensor:
    alpha = float(_options(node).number(0, "f32"))
    return building.same(node.name, "leaky_relu", node.x(building), alpha=alpha)


def _gelu(building: Building, node: Operation) -> Tensor:
    approximate = bool(_options(node).integer(0, "u8"))
    return building.same(node.name, "gelu", node.x(building), approximate=approximate)


def _prelu(building: Building, node: Operation) -> Tensor:
    return prelu(building, node.name, node.x(building), node.needed(building, 1))


def _softmax(building: Building, node: Operation) -> Tensor:
    if _options(node).number(0, "f32") != 1.0:
        raise UnreadError("beta other than 1")
    return building.softmax(node.name, node.x(building), -1)


def _reshape(building: Building, node: Operation) -> Tensor | Array:
    value = node.operands(building)[0]
    given = node.numbers(building, 1) if node.has(1) else _options(node).numbers(0)
    shape = resolved(tuple(value.shape), given, zero_copies=False)
    return reshaped(building, node.name, value, shape)


def _squeeze(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    left = extents_left(x.shape, _options(node).numbers(0))
    return reshaped_layer(building, node.name, x, left)


def _expand(building: Building, node: Operation) -> Tensor | Array:
    x, axis = node.x(building), node.numbers(building, 1)[0]
    return expanded(building, node.name, x, axis)


def _transpose(building: Building, node: Operation) -> Tensor | Array:
    x, order = node.x(building), node.numbers(building, 1)
    return transposed(building, node.name, x, order)


def _shape(building: Building, node: Operation) -> Array:
    return np.array(node.operands(building)[0].shape, "int32")


def _slice(building: Building, node: Operation) -> Array:
    value, *bounds = (node.needed(building, number) for number in range(4))
    opens, ends, shrinks = (bool(mask & 1) for mask in _ints(_options(node), (0, 1, 4)))
    return sliced(value, bounds, opens=opens, ends=ends, shrinks=shrinks)


def _dequantize(building: Building, node: Operation) -> Array:
    if node.outputs[0] not in building.values:
        raise UnreadError(f"data that are {QUANTISED}")
    return building.constant(node.outputs[0])


def _pack(building: Building, node: Operation) -> Array:
    return packed([building.constant(name) for name in node.inputs])


OPS: Mapping[str, Handler] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _conv_3d,
    "TRANSPOSE_CONV": _conv_transpose,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool("max_pool"),
    "AVERAGE_POOL_2D": _pool("avg_pool"),
    "MEAN": _reduce("global_avg_pool"),
    "REDUCE_MAX": _reduce("global_max_pool"),
    "ADD": _join("add"),
    "SUB": _join("subtract"),
    "MUL": _join("multiply"),
    "DIV": _join("divide"),
    "MAXIMUM": _join("maximum"),
    "MINIMUM": _join("minimum"),
    "CONCATENATION": _concat,
    "PAD": padded,
    "PADV2": padded,
    "RELU": same("relu"),
    "RELU6": same("relu6"),
    "RELU_N1_TO_1": same("clip", low=-1.0, high=1.0),
    "LEAKY_RELU": _leaky_relu,
    "PRELU": _prelu,
    "ELU": same("elu"),
    "GELU": _gelu,
    "HARD_SWISH": same("hard_swish"),
    "LOGISTIC": same("sigmoid"),
    "TANH": same("tanh"),
    "EXP": same("exp"),
    "LOG": same("log"),
    "SQRT": same("sqrt"),
    "ABS": same("abs"),
    "NEG": same("negative"),
    "SOFTMAX": _softmax,
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand,
    "TRANSPOSE": _transpose,
    "SHAPE": _shape,
    "STRIDED_SLICE": _slice,
    "PACK": _pack,
    "DEQUANTIZE": _dequantize,
    "QUANTIZE": _dequantize,
}
"""Those that are layers here, of floating point, or shapes."""
