"""What each class of Keras layer is here: the allowlist, and a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from convdiff.case.layout import Order
from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.joins import concat, join, prelu
from convdiff.net.models.keras_activations import activated
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.moves import CONV_TRANSPOSE, Moves
from convdiff.net.models.operation import Handler, Operation, sized
from convdiff.net.models.reshaping import reshaped_layer, resolved, transposed


def weights_of(node: Operation) -> list[Array]:
    """Return a layer's arrays, in Keras' order."""
    return list(node.attributes["weights"])


def _moves(node: Operation) -> Moves:
    given = node.attributes
    return Moves(_ints(given["strides"]), _ints(given.get("dilation_rate", ())), given["padding"])


def _ints(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _spatial(
    building: Building, node: Operation, kernel: Array, rest: list[Array], groups: int
) -> Tensor:
    """Add a convolution; kernel: ([[D, ]H, ]W, I / groups, O)."""
    order, conv = _moves(node).channels_last(kernel.shape, groups)
    made = building.conv(node.name, node.x(building), kernel, order, _bias(rest), conv)
    return activated(building, node, made)


def _bias(rest: list[Array]) -> Array | None:
    return rest[0] if rest else None


def _conv(building: Building, node: Operation) -> Tensor:
    kernel, *rest = weights_of(node)
    return _spatial(building, node, kernel, rest, node.attributes.get("groups", 1))


def _depthwise(building: Building, node: Operation) -> Tensor:
    kernel, *rest = weights_of(node)
    return _spatial(building, node, _by_channel(kernel), rest, kernel.shape[-2])


def _by_channel(kernel: Array) -> Array:
    """Return a depthwise kernel (…, I, M) as one of I groups: (…, 1, I · M)."""
    return kernel.reshape((*kernel.shape[:-2], 1, -1))


def _separable(building: Building, node: Operation) -> Tensor:
    depthwise, pointwise, *rest = weights_of(node)
    silent = {**node.attributes, "activation": None}
    first = Operation(f"{node.name}.depthwise", node.op, node.inputs, (), silent)
    middle = _spatial(building, first, _by_channel(depthwise), [], depthwise.shape[-2])
    building.values[first.name] = middle
    ones = (1,) * (pointwise.ndim - 2)
    still = {"strides": ones, "dilation_rate": ones, "padding": "valid"}
    second = Operation(node.name, node.op, (first.name,), (), {**node.attributes, **still})
    return _spatial(building, second, pointwise, rest, 1)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    kernel, *rest = weights_of(node)
    rank, given, moves = kernel.ndim - 2, node.attributes, _moves(node)
    longer = given.get("output_padding")
    if longer is not None and moves.padding != "valid":
        raise UnreadError("same padding with output_padding")
    if moves.padding == "valid":  # Keras: (n − 1)·s + max(k, s) outputs
        reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape, moves.dilations, strict=False)]
        own = [max(0, s - r) for s, r in zip(moves.strides, reach, strict=True)]
        longer = own if longer is None else _ints(longer)
    moves = Moves(moves.strides, moves.dilations, moves.padding, longer or ())
    *extents, outer, inner = kernel.shape
    conv = moves.convolution(extents, (inner, outer), CONV_TRANSPOSE[rank])
    letters = "DHW"[-rank:]
    order = Order(f"{letters}OI", f"{letters}IO")
    made = building.conv(node.name, node.x(building), kernel, order, _bias(rest), conv)
    return activated(building, node, made)


def _dense(building: Building, node: Operation) -> Tensor:
    kernel, *rest = weights_of(node)
    made = building.dense(node.name, node.x(building), kernel, _bias(rest))
    return activated(building, node, made)


def _pool(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        size, strides = node.attributes["pool_size"], node.attributes["strides"]
        moves = Moves(_ints(strides or size), (), node.attributes["padding"])
        return building.pool(node.name, op, node.x(building), _ints(size), moves)

    return handler


def _global(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        keep = bool(node.attributes.get("keepdims", False))
        return building.pool_all(node.name, op, node.x(building), keep=keep)

    return handler


def _batch_norm(building: Building, node: Operation) -> Tensor:
    x, given, arrays = node.x(building), node.attributes, weights_of(node)
    axis = _ints(given["axis"])[0]
    if x.axes[axis] != "C":
        raise UnreadError(f"over {x.axes[axis]} of {x.axes}")
    ones = np.ones(x.extents["C"], building.dtype)
    scale = arrays.pop(0) if given.get("scale", True) else ones
    shift = arrays.pop(0) if given.get("center", True) else np.zeros_like(ones)
    return building.batch_norm(node.name, x, [scale, shift, *arrays], given["epsilon"])


def _activation(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    made = activated(building, node, x, node.name)
    return _identity(building, node) if made is x else made


def _relu(building: Building, node: Operation) -> Tensor:
    given, x = node.attributes, node.x(building)
    most, slope = given.get("max_value"), given.get("negative_slope") or 0.0
    if given.get("threshold") or (most not in (None, 6.0)) or (slope and most):
        raise UnreadError("threshold, or max_value other than 6")
    if slope:
        return building.same(node.name, "leaky_relu", x, alpha=float(slope))
    return building.same(node.name, "relu" if most is None else "relu6", x)


def _leaky_relu(building: Building, node: Operation) -> Tensor:
    slope = node.attributes.get("negative_slope", node.attributes.get("alpha", 0.3))
    return building.same(node.name, "leaky_relu", node.x(building), alpha=float(slope))


def _elu(building: Building, node: Operation) -> Tensor:
    alpha = float(node.attributes.get("alpha", 1.0))
    return building.same(node.name, "elu", node.x(building), alpha=alpha)


def _prelu(building: Building, node: Operation) -> Tensor:
    return prelu(building, node.name, node.x(building), weights_of(node)[0])


def _softmax(building: Building, node: Operation) -> Tensor:
    axis = _ints(node.attributes.get("axis", -1))
    return building.softmax(node.name, node.x(building), axis[0])


def _identity(building: Building, node: Operation) -> Tensor:
    return building.same(node.name, "identity", node.x(building))


def _flatten(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    if node.attributes.get("data_format") == "channels_first" and x.spatial:
        raise UnreadError("channels first")
    return reshaped_layer(building, node.name, x, [x.shape[0], math.prod(x.shape[1:])])


def _reshape(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    wanted = [x.shape[0], *node.attributes["target_shape"]]
    return reshaped_layer(building, node.name, x, resolved(x.shape, wanted, zero_copies=False))


def _permute(building: Building, node: Operation) -> Tensor | Array:
    order = (0, *node.attributes["dims"])
    return transposed(building, node.name, node.x(building), order)


def _pad(sign: int) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        x = node.x(building)
        given = node.attributes["padding" if sign > 0 else "cropping"]
        pairs = given if isinstance(given[0], list | tuple) else [given]
        signed = {}
        for letter, (before, after) in zip(x.spatial, pairs, strict=True):
            signed[letter] = sign * before, sign * after
        return building.pad(node.name, x, signed, 0.0)

    return handler


def _join(op: str) -> Handler:
    return lambda building, node: join(building, node.name, op, node.operands(building))


def _concat(building: Building, node: Operation) -> Tensor:
    return concat(building, node.name, node.tensors(building), node.attributes.get("axis", -1))


def _rescaling(building: Building, node: Operation) -> Tensor:
    given = node.attributes
    scale = np.full(1, given["scale"], building.dtype)
    offset = np.full(1, given["offset"], building.dtype)
    middle = join(building, f"{node.name}.scale", "multiply", [node.x(building), scale])
    return join(building, node.name, "add", [middle, offset])


_SIZED: Mapping[str, Handler] = {
    "Conv{}D": _conv,
    "Convolution{}D": _conv,
    "DepthwiseConv{}D": _depthwise,
    "SeparableConv{}D": _separable,
    "Conv{}DTranspose": _conv_transpose,
    "MaxPooling{}D": _pool("max_pool"),
    "AveragePooling{}D": _pool("avg_pool"),
    "GlobalMaxPooling{}D": _global("global_max_pool"),
    "GlobalAveragePooling{}D": _global("global_avg_pool"),
    "ZeroPadding{}D": _pad(1),
    "Cropping{}D": _pad(-1),
    "SpatialDropout{}D": _identity,
}
LAYERS: Mapping[str, Handler] = {
    **sized(_SIZED),
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Identity": _identity,
    "Dropout": _identity,
    "AlphaDropout": _identity,
    "GaussianNoise": _identity,
    "GaussianDropout": _identity,
    "ActivityRegularization": _identity,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Add": _join("add"),
    "Subtract": _join("subtract"),
    "Multiply": _join("multiply"),
    "Maximum": _join("maximum"),
    "Minimum": _join("minimum"),
    "Concatenate": _concat,
    "Rescaling": _rescaling,
}
"""Classes of Keras' own; noise and dropout do nothing when a model is used."""
