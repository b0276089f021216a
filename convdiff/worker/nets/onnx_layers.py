"""Each kind of layer as nodes of ONNX, on activations N, C, …. Runs on Python 3.6."""

from functools import partial
from typing import Any, Dict, List

import numpy as np

from .. import onnx_nodes
from .context import Context
from .onnx_model import Model
from .onnx_pools import pool
from .steps import Build, Call, joined


def _op(model: Model, context: Context) -> Call:
    conv = context.conv
    nodes = onnx_nodes.conv_transpose if conv.transposed else onnx_nodes.conv
    given = context.given("filter", "bias")

    def call(x: str) -> str:
        if not conv.transposed and not isinstance(conv.padding, str):
            cut = np.minimum(conv.own(conv.padding), 0)
            if cut.any():
                x = model.padded(x, cut)
        names = list("abc"[: 1 + len(given)])
        return model.taken(nodes(model.onnx, names, conv), [x] + given)

    return call


def _dense(model: Model, context: Context) -> Call:
    given = context.given("filter", "bias")
    last = _channels_last(context.net.rank)

    def call(x: str) -> str:
        names = list("abc"[: 1 + len(given)])
        nodes = onnx_nodes.matmul(model.onnx, names, context.conv)
        if context.flat:
            return model.taken(nodes, [x] + given)
        y = model.taken(nodes, [model.node("Transpose", x, perm=last)] + given)
        return model.node("Transpose", y, perm=_channels_first(context.net.rank))

    return call


def _channels_last(rank: int) -> List[int]:
    return [0] + list(range(2, rank + 2)) + [1]


def _channels_first(rank: int) -> List[int]:
    return [0, rank + 1] + list(range(1, rank + 1))


def _node(kind: str, model: Model, context: Context) -> Call:
    """Return a node that has the layer's numbers for attributes."""
    settings = {name: float(value) for name, value in context.settings.items()}

    def call(x: str) -> str:
        return model.node(kind, x, **settings)

    return call


def _clip(low: Any, high: Any, model: Model, context: Context) -> Call:
    settings = context.settings
    dtype = np.dtype(context.net.dtype)
    limits = [settings.get("low", low), settings.get("high", high)]
    tensors = [model.tensor(np.array(limit, dtype)) for limit in limits]
    return lambda x: model.node("Clip", x, *tensors)


def _gelu(model: Model, context: Context) -> Call:
    approximate = "tanh" if context.settings["approximate"] else "none"
    return lambda x: model.node("Gelu", x, approximate=approximate)


def _silu(model: Model, context: Context) -> Call:
    return lambda x: model.node("Mul", x, model.node("Sigmoid", x))


def _prelu(model: Model, context: Context) -> Call:
    return lambda x: model.node("PRelu", x, context.arrays["slope"])


def _softmax(model: Model, context: Context) -> Call:
    return lambda x: model.node("Softmax", x, axis=1)


def _batch_norm(model: Model, context: Context) -> Call:
    given = context.given("scale", "shift", "mean", "variance")
    epsilon = context.settings["epsilon"]
    return lambda x: model.node("BatchNormalization", x, *given, epsilon=epsilon)


def _join(kind: str, model: Model, context: Context) -> Call:
    return joined(partial(model.node, kind), context)


def _concat(model: Model, context: Context) -> Call:
    axis = context.joined_channels_first
    return lambda *given: model.node("Concat", *given, axis=axis)


def _pad(model: Model, context: Context) -> Call:
    settings = context.settings
    return lambda x: model.padded(x, context.rest(settings["padding"]), settings["value"])


def _flatten(model: Model, context: Context) -> Call:
    def call(x: str) -> str:
        if context.settings["order"] == "hwc":
            x = model.node("Transpose", x, perm=_channels_last(context.net.rank))
        return model.node("Flatten", x, axis=1)

    return call


def _reshape(model: Model, context: Context) -> Call:
    rank = context.net.rank
    shape = np.array([0] + list(context.fixed), np.int64)

    def call(x: str) -> str:
        y = model.node("Transpose", x, perm=_channels_last(rank))
        y = model.node("Reshape", y, model.tensor(shape))
        return model.node("Transpose", y, perm=_channels_first(rank))

    return call


def _lift(model: Model, context: Context) -> Call:
    axes = model.tensor(np.arange(2, context.net.rank + 2, dtype=np.int64))
    return lambda x: model.node("Unsqueeze", x, axes)


LAYERS: Dict[str, Build] = {
    "op": _op,
    "dense": _dense,
    "max_pool": partial(pool, "MaxPool"),
    "avg_pool": partial(pool, "AveragePool"),
    "relu6": partial(_clip, 0, 6),
    "clip": partial(_clip, None, None),
    "gelu": _gelu,
    "silu": _silu,
    "prelu": _prelu,
    "softmax": _softmax,
    "batch_norm": _batch_norm,
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "lift": _lift,
}
NODES = {
    "global_max_pool": "GlobalMaxPool",
    "global_avg_pool": "GlobalAveragePool",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "selu": "Selu",
    "hard_sigmoid": "HardSigmoid",
    "hard_swish": "HardSwish",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "negative": "Neg",
    "identity": "Identity",
}
JOINS = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div"}
JOINS.update({"maximum": "Max", "minimum": "Min"})
LAYERS.update((name, partial(_node, kind)) for name, kind in NODES.items())
LAYERS.update((name, partial(_join, kind)) for name, kind in JOINS.items())
