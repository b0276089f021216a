"""What each ONNX operation is that gives a shape or a constant, or moves no number: a table."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.constants import check_small
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.operation import Handler, Operation, identity
from convdiff.net.models.reshaping import reshaped, reshaped_layer, resolved, transposed

CAST = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""Of TensorProto.DataType."""
VALUES = {
    "value_float": "float32",
    "value_floats": "float32",
    "value_int": "int64",
    "value_ints": "int64",
}
"""Attributes of a Constant beside `value`."""


def _flatten(building: Building, node: Operation) -> Tensor:
    x, axis = node.x(building), node.attributes.get("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    halves = [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])]
    return reshaped_layer(building, node.name, x, halves)


def _reshape(building: Building, node: Operation) -> Tensor | Array:
    wanted = node.ints(building, "shape", 1) or []
    value = node.value(building)
    shape = resolved(value.shape, wanted, zero_copies=not node.attributes.get("allowzero", 0))
    return reshaped(building, node.name, value, shape)


def _transpose(building: Building, node: Operation) -> Tensor | Array:
    value = node.value(building)
    order = node.attributes.get("perm") or range(len(value.shape))[::-1]
    return transposed(building, node.name, value, order)


def _squeeze(building: Building, node: Operation) -> Tensor | Array:
    axes = node.ints(building, "axes", 1)
    x = node.value(building)
    if not isinstance(x, Tensor):
        return np.squeeze(x, None if axes is None else tuple(axes))
    gone = {axis % len(x.shape) for axis in axes or []}
    if axes is None or any(x.shape[axis] != 1 for axis in gone):
        raise UnreadError("squeezes axes that are not named, or not 1")
    letters = "".join(letter for axis, letter in enumerate(x.axes) if axis not in gone)
    return building.relabelled(node.name, x, letters)


def _unsqueeze(building: Building, node: Operation) -> Tensor | Array:
    axes = node.ints(building, "axes", 1) or []
    x = node.value(building)
    if not isinstance(x, Tensor):
        return np.expand_dims(x, tuple(axes))
    count, extents = len(x.shape) + len(axes), list(x.shape)
    for axis in sorted(axis % count for axis in axes):
        extents.insert(axis, 1)
    return reshaped_layer(building, node.name, x, extents)


def _constant(building: Building, node: Operation) -> Array:
    if "value" in node.attributes:
        return node.attributes["value"]
    for name, kind in VALUES.items():
        if name in node.attributes:
            return np.asarray(node.attributes[name], kind)
    raise UnreadError("a constant of no numbers")


def _filled(building: Building, node: Operation) -> Array:
    value = np.ravel(node.attributes.get("value", np.zeros(1, "float32")))[0]
    extents = np.ravel(node.needed(building, 0)).tolist()
    shape = building.budget.take(node.name, extents, value.itemsize)
    return np.full(shape, value)


def _shape(building: Building, node: Operation) -> Array:
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return np.array(node.value(building).shape[start:end], "int64")


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
    return identity(building, node)


SHAPES: Mapping[str, Handler] = {
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
"""Rows of `onnx_ops.OPS`."""
