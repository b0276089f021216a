"""What each ONNX operation is as a layer: a table, held to the operators' own texts.

https://onnx.ai/onnx/operators/: what an attribute means, and what it is where it is not given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from convdiff.case.layout import layout_of
from convdiff.net.models.axes import Tensor, window
from convdiff.net.models.build import (
    CONV,
    CONV_TRANSPOSE,
    TRAINING,
    Building,
    Moves,
    Pads,
    UnreadError,
)
from convdiff.net.models.constants import FOLDED, check_small, folded
from convdiff.net.models.model import Array
from convdiff.net.models.operation import Handler, Operation, elementwise, refuse_other_axes
from convdiff.worker.ops.convolution import Convolution

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
    return Moves(
        given("strides", ()), given("dilations", ()), _pads(node, rank), given("output_padding", ())
    )


def _conv(building: Building, node: Operation) -> Tensor:
    x, weights = node.x(building), node.needed(building, 1)
    groups, rank = node.attributes.get("group", 1), weights.ndim - 2
    moves = _moves(node, rank)
    return _added(building, node, x, weights, CONV, groups, weights.shape[1] * groups, moves)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    x, weights = node.x(building), node.needed(building, 1)
    groups, rank = node.attributes.get("group", 1), weights.ndim - 2
    if "output_shape" in node.attributes:
        raise UnreadError("output_shape")
    moves = _moves(node, rank)
    return _added(building, node, x, weights, CONV_TRANSPOSE, groups, weights.shape[0], moves)


def _added(
    building: Building,
    node: Operation,
    x: Tensor,
    weights: Array,
    ops: Mapping[int, str],
    groups: int,
    channels_in: int,
    moves: Moves,
) -> Tensor:
    rank = weights.ndim - 2
    if rank not in ops:
        raise UnreadError(f"a filter of {weights.ndim} axes")
    order = layout_of("nchw", ops[rank], groups).filter
    channels_out = weights.shape[1] * groups if ops is CONV_TRANSPOSE else weights.shape[0]
    conv = Convolution(
        window(weights.shape[2:]),
        channels_in,
        channels_out,
        groups=groups,
        op=ops[rank],
        **moves.filled(rank),
    )
    return building.conv(node.name, x, weights, order, node.constant(building, 2), conv)


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


def _gelu(building: Building, node: Operation) -> Tensor:
    approximate = node.attributes.get("approximate", "none") == "tanh"
    x = node.x(building)
    return building.same(node.name, "gelu", x, approximate=approximate)


def _selu(building: Building, node: Operation) -> Tensor:
    if any(round(value, 4) not in (1.6733, 1.0507) for value in node.attributes.values()):
        raise UnreadError("alpha or gamma of its own")
    return building.same(node.name, "selu", node.x(building))


def _clip(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    far = float(np.finfo(building.dtype if building.dtype != "bfloat16" else "float32").max)
    limits = {"min": -far, "max": far}
    for number, name in enumerate(limits, 1):
        array = node.constant(building, number)
        value = node.attributes.get(name) if array is None else array
        if value is not None:
            limits[name] = float(value)
    return building.same(node.name, "clip", x, low=limits["min"], high=limits["max"])


def _prelu(building: Building, node: Operation) -> Tensor:
    x, slope = node.x(building), node.needed(building, 1)
    if node.version < 7 and slope.ndim == 1:  # before broadcasting: one a channel
        slope = slope.reshape([-1 if letter == "C" else 1 for letter in x.axes])
    return building.prelu(node.name, x, slope)


def _softmax(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    whole = node.version < 13  # all axes from this one on, as one
    axis = node.attributes.get("axis", 1 if whole else -1)
    if whole:
        varying = [letter for letter in x.axes[axis:] if x.extents[letter] > 1]
        if varying != ["C"]:
            raise UnreadError(f"softmax over {''.join(x.axes[axis:])} as one")
        axis = x.axes.index("C")
    return building.softmax(node.name, x, axis)


def _join(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor | Array:
        operands = node.operands(building)
        if not any(isinstance(one, Tensor) for one in operands):
            return folded(FOLDED[op], operands)
        if len(operands) == 1:
            return building.same(node.name, "identity", node.x(building))
        return building.join(node.name, op, operands)

    return handler


def _concat(building: Building, node: Operation) -> Tensor | Array:
    axis, operands = node.attributes["axis"], node.operands(building)
    constants = [one for one in operands if isinstance(one, np.ndarray)]
    if len(constants) == len(operands):
        check_small(sum(array.size for array in constants))
        return np.concatenate(constants, axis)
    return building.concat(node.name, [building.tensor(name) for name in node.inputs], axis)


def _pad(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    if node.attributes.get("mode", "constant") != "constant":
        raise UnreadError(f"pads by {node.attributes['mode']}")
    if node.has(3):
        raise UnreadError("pads axes by number")
    attribute = "paddings" if "paddings" in node.attributes else "pads"
    pads = node.ints(building, attribute, 1) or []
    array = node.constant(building, 2)
    value = node.attributes.get("value", 0.0) if array is None else float(np.ravel(array)[0])
    pairs = dict(zip(x.axes, _pairs(pads, len(x.axes)), strict=True))
    return building.pad(node.name, x, pairs, value)


def _identity(building: Building, node: Operation) -> Tensor | Array:
    value = building.values.get(node.inputs[0])
    if isinstance(value, np.ndarray):
        return value
    return building.same(node.name, "identity", node.x(building))


def _dropout(building: Building, node: Operation) -> Tensor | Array:
    if node.has(2) and bool(node.needed(building, 2)):
        raise UnreadError(TRAINING)
    return _identity(building, node)


def _flatten(building: Building, node: Operation) -> Tensor:
    x, axis = node.x(building), node.attributes.get("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    halves = x.shape[:axis], x.shape[axis:]
    return building.reshaped(node.name, x, [int(np.prod(half)) for half in halves])


def _reshape(building: Building, node: Operation) -> Tensor | Array:
    wanted = node.ints(building, "shape", 1) or []
    value = building.values.get(node.inputs[0])
    given = value.shape if value is not None else node.x(building).shape
    shape = resolved(given, wanted, zero_copies=not node.attributes.get("allowzero", 0))
    if isinstance(value, np.ndarray):
        return value.reshape(shape)
    return building.reshaped(node.name, node.x(building), shape)


def resolved(given: tuple[int, ...], wanted: list[int], *, zero_copies: bool) -> list[int]:
    """Return the shape that a reshaping asks for. Raises UnreadError where there is none."""
    shape = []
    for axis, extent in enumerate(wanted):
        copied = extent == 0 and zero_copies and axis < len(given)
        shape.append(given[axis] if copied else extent)
    total, rest = int(np.prod(given)), int(np.prod([n for n in shape if n != -1]))
    if shape.count(-1) == 1 and rest:
        shape[shape.index(-1)] = total // rest
    if int(np.prod(shape)) != total or min(shape, default=0) < 0:
        raise UnreadError("reshapes to another number of elements")
    return shape


def _transpose(building: Building, node: Operation) -> Tensor | Array:
    value = building.values.get(node.inputs[0])
    if isinstance(value, np.ndarray):
        return value.transpose(node.attributes.get("perm"))
    x = node.x(building)
    order = node.attributes.get("perm") or range(len(x.axes))[::-1]
    return building.relabelled(node.name, x, "".join(x.axes[axis] for axis in order))


def _squeeze(building: Building, node: Operation) -> Tensor | Array:
    value = building.values.get(node.inputs[0])
    axes = node.ints(building, "axes", 1)
    if isinstance(value, np.ndarray):
        return np.squeeze(value, None if axes is None else tuple(axes))
    x = node.x(building)
    gone = {axis % len(x.shape) for axis in axes or []}
    if axes is None or any(x.shape[axis] != 1 for axis in gone):
        raise UnreadError("squeezes axes that are not named, or not 1")
    letters = "".join(letter for axis, letter in enumerate(x.axes) if axis not in gone)
    return building.relabelled(node.name, x, letters)


def _unsqueeze(building: Building, node: Operation) -> Tensor | Array:
    value, axes = building.values.get(node.inputs[0]), node.ints(building, "axes", 1) or []
    if isinstance(value, np.ndarray):
        return np.expand_dims(value, tuple(axes))
    x = node.x(building)
    count, extents = len(x.shape) + len(axes), list(x.shape)
    for axis in sorted(axis % count for axis in axes):
        extents.insert(axis, 1)
    return building.reshaped(node.name, x, extents)


def _constant(building: Building, node: Operation) -> Array:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            kind = "float32" if "float" in name else "int64"
            return value if name == "value" else np.asarray(value, dtype=kind)
    raise UnreadError("a constant of no numbers")


def _filled(building: Building, node: Operation) -> Array:
    value = np.ravel(node.attributes.get("value", np.zeros(1, "float32")))[0]
    shape = building.budget.take(
        node.name, np.ravel(node.needed(building, 0)).tolist(), value.itemsize
    )
    return np.full(shape, value)


def _shape(building: Building, node: Operation) -> Array:
    value = building.values.get(node.inputs[0])
    shape = value.shape if value is not None else node.x(building).shape
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return np.array(shape[start:end], "int64")


def _gather(building: Building, node: Operation) -> Array:
    array, at = node.needed(building, 0), node.needed(building, 1)
    axis = node.attributes.get("axis", 0)
    check_small(at.size * array.size // max(1, array.shape[axis]))
    return np.take(array, at.astype("int64"), axis)


def _cast(building: Building, node: Operation) -> Tensor | Array:
    value, to = building.values.get(node.inputs[0]), node.attributes["to"]
    if isinstance(value, np.ndarray):
        return value.astype(CAST[to]) if to in CAST else value
    if CAST.get(to) != building.dtype:
        raise UnreadError("another element type")
    return _identity(building, node)


CAST = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""Of TensorProto.DataType."""

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
    "Gelu": _gelu,
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
    "Add": _join("add"),
    "Sum": _join("add"),
    "Sub": _join("subtract"),
    "Mul": _join("multiply"),
    "Div": _join("divide"),
    "Max": _join("maximum"),
    "Min": _join("minimum"),
    "Concat": _concat,
    "Pad": _pad,
    "Identity": _identity,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Shape": _shape,
    "Gather": _gather,
    "Cast": _cast,
}
"""Those that are layers here, or constants."""
