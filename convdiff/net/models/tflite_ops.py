"""What each TensorFlow Lite operator is as a layer: a table.

tensorflow/lite/schema/schema.fbs: the numbers of operators and of their options' fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convdiff.case.layout import Order
from convdiff.net.models.axes import Tensor, window
from convdiff.net.models.build import CONV, QUANTISED, Building, Moves, UnreadError
from convdiff.net.models.constants import check_small
from convdiff.net.models.flatbuffer import Table
from convdiff.net.models.model import Array
from convdiff.net.models.onnx_ops import resolved
from convdiff.net.models.operation import (
    Handler,
    Operation,
    extents_left,
    padded,
    refuse_other_axes,
)
from convdiff.worker.ops.convolution import Convolution

_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL
CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST
PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
"""
NAMES = tuple(_NAMES.split())
"""By number."""
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


def _conv(building: Building, node: Operation) -> Tensor:
    options, weights = _options(node), node.needed(building, 1)
    x, groups = node.x(building), 1
    if x.extents["C"] % weights.shape[3] == 0:
        groups = x.extents["C"] // weights.shape[3]
    moves = Moves(
        _ints(options, (2, 1)), _ints(options, (5, 4), 1), PADDING[options.integer(0, "i8")]
    )
    conv = Convolution(
        window(weights.shape[1:3]),
        weights.shape[3] * groups,
        weights.shape[0],
        groups=groups,
        **moves.filled(2),
    )
    order, bias = Order("OHWI", "HWIO"), node.constant(building, 2)
    made = building.conv(node.name, x, weights, order, bias, conv)
    return _activated(building, node, made, 3)


def _depthwise(building: Building, node: Operation) -> Tensor:
    options, weights = _options(node), node.needed(building, 1)
    x = node.x(building)
    moves = Moves(
        _ints(options, (2, 1)), _ints(options, (6, 5), 1), PADDING[options.integer(0, "i8")]
    )
    conv = Convolution(
        window(weights.shape[1:3]),
        x.extents["C"],
        weights.shape[3],
        groups=x.extents["C"],
        **moves.filled(2),
    )
    order, bias = Order("IHWO", "HWIO"), node.constant(building, 2)
    made = building.conv(node.name, x, weights, order, bias, conv)
    return _activated(building, node, made, 4)


def _conv_3d(building: Building, node: Operation) -> Tensor:
    options, weights = _options(node), node.needed(building, 1)
    moves = Moves(
        _ints(options, (1, 3, 2)), _ints(options, (5, 7, 6), 1), PADDING[options.integer(0, "i8")]
    )
    channels_in, channels_out = weights.shape[3:]
    kernel = tuple(weights.shape[:3])
    conv = Convolution(kernel, channels_in, channels_out, op=CONV[3], **moves.filled(3))
    order, bias = Order("DHWIO", "DHWIO"), node.constant(building, 2)
    made = building.conv(node.name, node.x(building), weights, order, bias, conv)
    return _activated(building, node, made, 4)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    options, weights, x = _options(node), node.needed(building, 1), node.x(building, 2)
    wanted = [int(extent) for extent in node.needed(building, 0)]
    moves = to_shape(x, weights.shape[1:3], _ints(options, (2, 1)), wanted[1:3])
    if PADDING[options.integer(0, "i8")] == "valid" and moves.padding != ((0, 0), (0, 0)):
        raise UnreadError(f"an output of {wanted} without padding")
    conv = Convolution(
        window(weights.shape[1:3]),
        weights.shape[3],
        weights.shape[0],
        op="conv2d_transpose",
        **moves.filled(2),
    )
    order, bias = Order("OHWI", "HWIO"), node.constant(building, 3)
    made = building.conv(node.name, x, weights, order, bias, conv)
    return _activated(building, node, made, 3)


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
        x = building.reshaped(f"{node.name}.flatten", x, shape)
    weights = node.needed(building, 1)
    made = building.dense(node.name, x, weights.T, node.constant(building, 2))
    return _activated(building, node, made, 0)


def _pool(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        options = _options(node)
        moves = Moves(_ints(options, (2, 1)), (), PADDING[options.integer(0, "i8")])
        made = building.pool(node.name, op, node.x(building), _ints(options, (4, 3)), moves)
        return _activated(building, node, made, 5)

    return handler


def _reduce(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        x = node.x(building)
        refuse_other_axes(x, np.ravel(node.needed(building, 1)).tolist())
        keep = bool(_options(node).integer(0, "u8"))
        return building.pool_all(node.name, op, x, keep=keep)

    return handler


def _join(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        made = building.join(node.name, op, node.operands(building))
        plain = op in ("maximum", "minimum")
        return made if plain else _activated(building, node, made, 0)

    return handler


def _concat(building: Building, node: Operation) -> Tensor:
    tensors = [building.tensor(name) for name in node.inputs]
    made = building.concat(node.name, tensors, _options(node).integer(0))
    return _activated(building, node, made, 1)


def _same(op: str, **settings: Any) -> Handler:
    return lambda building, node: building.same(node.name, op, node.x(building), **settings)


def _leaky_relu(building: Building, node: Operation) -> Tensor:
    alpha = float(_options(node).number(0, "f32"))
    return building.same(node.name, "leaky_relu", node.x(building), alpha=alpha)


def _gelu(building: Building, node: Operation) -> Tensor:
    approximate = bool(_options(node).integer(0, "u8"))
    return building.same(node.name, "gelu", node.x(building), approximate=approximate)


def _prelu(building: Building, node: Operation) -> Tensor:
    return building.prelu(node.name, node.x(building), node.needed(building, 1))


def _softmax(building: Building, node: Operation) -> Tensor:
    if _options(node).number(0, "f32") != 1.0:
        raise UnreadError("beta other than 1")
    return building.softmax(node.name, node.x(building), -1)


def _reshape(building: Building, node: Operation) -> Tensor | Array:
    value = node.operands(building)[0]
    given = np.ravel(node.needed(building, 1)) if node.has(1) else _options(node).numbers(0)
    shape = resolved(tuple(value.shape), [int(n) for n in given], zero_copies=False)
    if isinstance(value, np.ndarray):
        return value.reshape(shape)
    return building.reshaped(node.name, value, shape)


def _squeeze(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    return building.reshaped(node.name, x, extents_left(x.shape, _options(node).numbers(0)))


def _expand(building: Building, node: Operation) -> Tensor:
    x, axis = node.x(building), int(np.ravel(node.needed(building, 1))[0])
    shape = list(x.shape)
    shape.insert(axis % (len(shape) + 1), 1)
    return building.reshaped(node.name, x, shape)


def _transpose(building: Building, node: Operation) -> Tensor:
    x, order = node.x(building), np.ravel(node.needed(building, 1))
    return building.relabelled(node.name, x, "".join(x.axes[int(axis)] for axis in order))


def _shape(building: Building, node: Operation) -> Array:
    return np.array(node.operands(building)[0].shape, "int32")


def _slice(building: Building, node: Operation) -> Array:
    value, begin, end, step = (node.needed(building, number) for number in range(4))
    if value.ndim != 1 or begin.size != 1:
        raise UnreadError("slices more than a shape")
    options = _options(node)
    first = None if options.integer(0) & 1 else int(begin[0])
    last = None if options.integer(1) & 1 else int(end[0])
    if options.integer(4) & 1:
        return value[int(begin[0])]
    return value[first : last : int(step[0])]


def _dequantize(building: Building, node: Operation) -> Array:
    if node.outputs[0] not in building.values:
        raise UnreadError(f"data that are {QUANTISED}")
    return building.constant(node.outputs[0])


def _pack(building: Building, node: Operation) -> Array:
    constants = [building.constant(name) for name in node.inputs]
    check_small(sum(array.size for array in constants))
    return np.stack(constants)


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
    "RELU": _same("relu"),
    "RELU6": _same("relu6"),
    "RELU_N1_TO_1": _same("clip", low=-1.0, high=1.0),
    "LEAKY_RELU": _leaky_relu,
    "PRELU": _prelu,
    "ELU": _same("elu"),
    "GELU": _gelu,
    "HARD_SWISH": _same("hard_swish"),
    "LOGISTIC": _same("sigmoid"),
    "TANH": _same("tanh"),
    "EXP": _same("exp"),
    "LOG": _same("log"),
    "SQRT": _same("sqrt"),
    "ABS": _same("abs"),
    "NEG": _same("negative"),
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
