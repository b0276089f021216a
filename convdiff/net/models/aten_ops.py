"""What each ATen operation of an exported PyTorch program is as a layer: a table.

pytorch.org/docs/stable/torch.compiler_ir.html, and native_functions.yaml: what is left out has
the default that stands there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import TRAINING, Building
from convdiff.net.models.joins import concat, join, prelu
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.moves import CONV, CONV_TRANSPOSE, Moves, Pads
from convdiff.net.models.operation import (
    Handler,
    Operation,
    elementwise,
    gelu,
    identity,
    refuse_other_axes,
    same,
    sized,
)
from convdiff.net.models.reshaping import expanded, reshaped_layer, resolved, transposed


def _array(building: Building, node: Operation, name: str) -> Array | None:
    """Return an argument that must be a constant, or None where there is none."""
    given = node.attributes.get(name)
    return None if given is None else building.constant(given)


def _all(value: Any, rank: int) -> tuple[int, ...]:
    """Return what is said of each spatial axis: one number is of all."""
    given = [value] if isinstance(value, int) else list(value)
    return tuple(given * rank if len(given) == 1 else given)


def _pads(value: Any, rank: int) -> Pads:
    if isinstance(value, str):
        return value
    return tuple((pad, pad) for pad in _all(value, rank))


def _conv(building: Building, node: Operation, ops: Mapping[int, str] = CONV) -> Tensor:
    given, weights = node.attributes.get, building.constant(node.attributes["weight"])
    rank = weights.ndim - 2
    moves = Moves(
        _all(given("stride", 1), rank),
        _all(given("dilation", 1), rank),
        _pads(given("padding", 0), rank),
        _all(given("output_padding", 0), rank),
    )
    order, conv = moves.channels_first(weights.shape, ops, given("groups", 1))
    bias = _array(building, node, "bias")
    return building.conv(node.name, node.x(building), weights, order, bias, conv)


def _conv_transpose(building: Building, node: Operation) -> Tensor:
    return _conv(building, node, CONV_TRANSPOSE)


def _convolution(building: Building, node: Operation) -> Tensor:
    ops = CONV_TRANSPOSE if node.attributes["transposed"] else CONV
    return _conv(building, node, ops)


def _linear(building: Building, node: Operation) -> Tensor:
    weights = building.constant(node.attributes["weight"])
    bias = _array(building, node, "bias")
    return building.dense(node.name, node.x(building), weights.T, bias)


def _addmm(building: Building, node: Operation) -> Tensor:
    if node.attributes.get("beta", 1) != 1 or node.attributes.get("alpha", 1) != 1:
        raise UnreadError("alpha or beta")
    x, bias = building.tensor(node.attributes["mat1"]), _array(building, node, "self")
    return building.dense(node.name, x, building.constant(node.attributes["mat2"]), bias)


def _pool(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        x, given = node.x(building), node.attributes.get
        rank = len(x.spatial)
        size = _all(given("kernel_size"), rank)
        strides = _all(given("stride") or size, rank)
        moves = Moves(strides, _all(given("dilation", 1), rank), _pads(given("padding", 0), rank))
        more = {"ceil_mode": bool(given("ceil_mode", False))}
        if op == "avg_pool":
            more["count_include_pad"] = bool(given("count_include_pad", True))
            if given("divisor_override") is not None:
                raise UnreadError("divisor_override")
        return building.pool(node.name, op, x, size, moves, **more)

    return handler


def _adaptive(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        if set(_all(node.attributes["output_size"], 1)) != {1}:
            raise UnreadError("to more than one position")
        return building.pool_all(node.name, op, node.x(building), keep=True)

    return handler


def _mean(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    refuse_other_axes(x, node.attributes.get("dim") or [])
    keep = bool(node.attributes.get("keepdim", False))
    return building.pool_all(node.name, "global_avg_pool", x, keep=keep)


def _batch_norm(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    if node.attributes.get("training", False):
        raise UnreadError(TRAINING)
    arrays = []
    for name, fill in NORM.items():
        array = _array(building, node, name)
        arrays.append(np.full(x.extents["C"], fill, building.dtype) if array is None else array)
    return building.batch_norm(node.name, x, arrays, node.attributes["eps"])


def _clamp(low: str, high: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor:
        far = float(np.finfo("float32").max)
        limits = {"low": -far, "high": far}
        for limit, name in (("low", low), ("high", high)):
            if node.attributes.get(name) is not None:
                limits[limit] = node.attributes[name]
        return building.same(node.name, "clip", node.x(building), **limits)

    return handler


def _prelu(building: Building, node: Operation) -> Tensor:
    x, slope = node.x(building), building.constant(node.attributes["weight"])
    return prelu(building, node.name, x, x.of_channels(slope))


def _softmax(building: Building, node: Operation) -> Tensor:
    return building.softmax(node.name, node.x(building), node.attributes["dim"])


def _join(op: str) -> Handler:
    def handler(building: Building, node: Operation) -> Tensor | Array:
        if node.attributes.get("alpha", 1) != 1 or node.attributes.get("rounding_mode"):
            raise UnreadError("alpha or rounding_mode")
        operands = node.operands(building)
        other = node.attributes.get("other")
        if isinstance(other, int | float):
            operands.append(np.full(1, other, building.dtype))
        if not any(isinstance(one, Tensor) for one in operands):
            return getattr(np, op)(*operands)  # a counter of batches, say
        return join(building, node.name, op, operands)

    return handler


def _cat(building: Building, node: Operation) -> Tensor:
    return concat(building, node.name, node.tensors(building), node.attributes.get("dim", 0))


def _pad(building: Building, node: Operation) -> Tensor:
    x, given = node.x(building), node.attributes.get
    if given("mode", "constant") != "constant":
        raise UnreadError(f"pads by {given('mode')}")
    pads = list(node.attributes["pad"])
    pairs = [tuple(pads[at : at + 2]) for at in range(0, len(pads), 2)]  # the last axis first
    named = dict(zip(reversed(x.axes), pairs, strict=False))
    return building.pad(node.name, x, named, float(given("value") or 0.0))


def _flatten(building: Building, node: Operation) -> Tensor:
    x, given = node.x(building), node.attributes.get
    first, last = given("start_dim", 0) % len(x.shape), given("end_dim", -1) % len(x.shape)
    middle = math.prod(x.shape[first : last + 1])
    shape = [*x.shape[:first], middle, *x.shape[last + 1 :]]
    return reshaped_layer(building, node.name, x, shape)


def _reshape(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    wanted: Sequence[int] = node.attributes.get("size") or node.attributes["shape"]
    shape = resolved(x.shape, list(wanted), zero_copies=False)
    return reshaped_layer(building, node.name, x, shape)


def _permute(building: Building, node: Operation) -> Tensor | Array:
    return transposed(building, node.name, node.operands(building)[0], node.attributes["dims"])


def _transpose(building: Building, node: Operation) -> Tensor | Array:
    value = node.operands(building)[0]
    one, other = node.attributes.get("dim0", 0), node.attributes.get("dim1", 1)
    order = list(range(len(value.shape)))
    order[one], order[other] = order[other], order[one]
    return transposed(building, node.name, value, order)


def _unsqueeze(building: Building, node: Operation) -> Tensor | Array:
    return expanded(building, node.name, node.x(building), node.attributes["dim"])


def _squeeze(building: Building, node: Operation) -> Tensor:
    x = node.x(building)
    gone = {axis % len(x.shape) for axis in _all(node.attributes["dim"], 1)}
    letters = [a for at, a in enumerate(x.axes) if at not in gone or x.shape[at] != 1]
    return building.relabelled(node.name, x, "".join(letters))


def _dropout(building: Building, node: Operation) -> Tensor | Array:
    if node.attributes.get("train", False):
        raise UnreadError(TRAINING)
    return identity(building, node)


NORM = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}
"""Arrays of a batch_norm, and what each is full of where it is left out."""
_SIZED: Mapping[str, Handler] = {
    "conv{}d": _conv,
    "max_pool{}d": _pool("max_pool"),
    "avg_pool{}d": _pool("avg_pool"),
    "adaptive_avg_pool{}d": _adaptive("global_avg_pool"),
    "adaptive_max_pool{}d": _adaptive("global_max_pool"),
    "conv_transpose{}d": _conv_transpose,
}
OPS: Mapping[str, Handler] = {
    **sized(_SIZED),
    "convolution": _convolution,
    "linear": _linear,
    "addmm": _addmm,
    "mean": _mean,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_functional": _batch_norm,
    "native_batch_norm": _batch_norm,
    "relu": same("relu"),
    "relu_": same("relu"),
    "relu6": same("relu6"),
    "leaky_relu": elementwise("leaky_relu", alpha=("negative_slope", 0.01)),
    "elu": elementwise("elu", alpha=("alpha", 1.0)),
    "selu": same("selu"),
    "gelu": gelu,
    "silu": same("silu"),
    "hardswish": same("hard_swish"),
    "hardsigmoid": same("hard_sigmoid", alpha=1 / 6, beta=0.5),
    "hardtanh": _clamp("min_val", "max_val"),
    "clamp": _clamp("min", "max"),
    "softplus": same("softplus"),
    "sigmoid": same("sigmoid"),
    "tanh": same("tanh"),
    "exp": same("exp"),
    "log": same("log"),
    "sqrt": same("sqrt"),
    "abs": same("abs"),
    "neg": same("negative"),
    "prelu": _prelu,
    "softmax": _softmax,
    "_softmax": _softmax,
    "add": _join("add"),
    "add_": _join("add"),
    "sub": _join("subtract"),
    "mul": _join("multiply"),
    "div": _join("divide"),
    "maximum": _join("maximum"),
    "minimum": _join("minimum"),
    "cat": _cat,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "flatten": _flatten,
    "view": _reshape,
    "reshape": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "t": _transpose,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "clone": identity,
    "contiguous": identity,
    "alias": identity,
    "detach": identity,
    "dropout": _dropout,
    "native_dropout": _dropout,
}
"""By name, whatever the overload; those that are layers here, or constants."""
