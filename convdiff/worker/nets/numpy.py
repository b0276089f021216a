"""Nets in NumPy, so plain that they can be checked by eye. Runs on Python 3.6."""

import math
from functools import lru_cache, partial
from typing import Any, Callable, Container, Dict, Iterator, List, Tuple

import numpy as np

from .. import layout
from ..framework import Device, on_own_axes
from ..ops.net import Net
from ..ops.net_shapes import moves, spatial
from . import pools
from .context import Context
from .steps import (
    KEPT,
    Build,
    Call,
    Step,
    build,
    folded,
    joined,
    sizes_of,
    tensors,
    unfolded,
    walk,
)


class NumpyNet(object):
    """Layer by layer, each written from its definition."""

    def __init__(self, framework: Any, net: Net, arrays: Dict[str, Any]) -> None:
        self.framework, self.net = framework, net
        self.arrays = tensors(net, arrays, lambda layer, role, array: array, ())
        self.steps = lru_cache(KEPT)(self._steps)

    def _steps(self, shape: Tuple[int, ...]) -> List[Step]:
        return build(LAYERS, self.framework, self.net, self.arrays, sizes_of(self.net, shape))

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC, each as soon as it is there."""
        steps = self.steps(input_nhwc.shape)
        with np.errstate(all="ignore"):
            for name, y in walk(self.net, steps, unfolded(self.net, input_nhwc), fetched):
                yield name, folded(y)


def _op(framework: Any, context: Context) -> Call:
    conv, out, compute = context.conv, context.out, getattr(framework, context.conv.op)
    w, bias = context.arrays["filter"], context.arrays.get("bias")

    def call(x: Any) -> Any:
        rows, columns = -1, x.shape[-2]
        if conv.rank == 1:  # a product of one tap knows no rows
            rows, columns = 1, -1
        given = x.reshape(x.shape[:1] + (rows, columns) + x.shape[-1:])
        y = on_own_axes(compute, conv, Device("cpu"), given, w, bias)
        return y.reshape(x.shape[:1] + out + (conv.channels_out,))

    return call


def _pool(reduce: Callable[..., Any], value: float, framework: Any, context: Context) -> Call:
    size = context.size
    axes = moves(context.layer, size)
    before = spatial(size, len(axes))
    divisor = pools.counts(context.layer, size)[..., None] if value == 0 else None

    def call(x: Any) -> Any:
        y = x.reshape(x.shape[:1] + before + x.shape[-1:])
        y = _padded(y, [axis.padding for axis in axes], value)
        total = None  # type: Any
        for taps in np.ndindex(*[axis.kernel for axis in axes]):
            part = y[(slice(None),) + tuple(map(_reached, axes, before, taps))]
            total = part if total is None else reduce(total, part)
        y = total if divisor is None else total / divisor.astype(x.dtype)
        return y.reshape(x.shape[:1] + context.out + x.shape[-1:])

    return call


def _reached(axis: Any, extent: int, tap: int) -> slice:
    """Return what all windows read at one tap."""
    first = tap * axis.dilation
    return slice(first, first + (axis.extent(extent) - 1) * axis.stride + 1, axis.stride)


def _padded(array: Any, pads: Any, value: float) -> Any:
    """Return N…C data with a value around it, or less of it where pads are negative."""
    array, left = layout.cropped(array, pads)
    return np.pad(array, [(0, 0)] + left + [(0, 0)], "constant", constant_values=value)


def _global(reduce: Callable[..., Any], framework: Any, context: Context) -> Call:
    axes = tuple(range(1, context.net.rank + 1))
    return lambda x: reduce(x, axis=axes, keepdims=True)


def _of_settings(function: Callable[..., Any], framework: Any, context: Context) -> Call:
    settings = dict(context.settings)
    return lambda x: function(x, **settings)


def _prelu(framework: Any, context: Context) -> Call:
    return lambda x: np.where(x > 0, x, context.arrays["slope"] * x)


def _batch_norm(framework: Any, context: Context) -> Call:
    given, epsilon = context.arrays, context.settings["epsilon"]
    spread = np.sqrt(given["variance"] + given["variance"].dtype.type(epsilon))
    return lambda x: (x - given["mean"]) / spread * given["scale"] + given["shift"]


def _join(function: Callable[..., Any], framework: Any, context: Context) -> Call:
    return joined(function, context)


def _concat(framework: Any, context: Context) -> Call:
    return lambda *given: np.concatenate(given, axis=context.joined)


def _pad(framework: Any, context: Context) -> Call:
    settings = context.settings
    return lambda x: _padded(x, context.rest(settings["padding"]), settings["value"])


def _flatten(framework: Any, context: Context) -> Call:
    channels_first = context.settings["order"] == "chw"

    def call(x: Any) -> Any:
        if channels_first:
            x = np.moveaxis(x, -1, 1)
        return x.reshape(x.shape[:1] + context.out + (-1,))

    return call


def _reshape(framework: Any, context: Context) -> Call:
    return lambda x: x.reshape(x.shape[:1] + context.fixed)


def _lift(framework: Any, context: Context) -> Call:
    """Return nothing that is done: what is flat has its axes of one element here."""
    return lambda x: x


def _identity(framework: Any, context: Context) -> Call:
    return lambda x: x


def _softmax(x: Any) -> Any:
    y = np.exp(x - x.max(axis=-1, keepdims=True))
    return y / y.sum(axis=-1, keepdims=True)


def _gelu(x: Any, approximate: bool) -> Any:
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    phi = np.vectorize(math.erf, otypes=[np.float64])(x.astype(np.float64) / math.sqrt(2))
    return (x * 0.5 * (1 + phi)).astype(x.dtype)


def _elu(x: Any, alpha: float) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(x: Any) -> Any:
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _clip(x: Any, low: float, high: float) -> Any:
    return np.minimum(np.maximum(x, low), high)


FUNCTIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: _clip(x, 0, 6),
    "leaky_relu": lambda x, alpha: np.where(x > 0, x, alpha * x),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": lambda x: x * _sigmoid(x),
    "hard_sigmoid": lambda x, alpha, beta: _clip(alpha * x + beta, 0, 1),
    "hard_swish": lambda x: x * _clip(x + 3, 0, 6) / 6,
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "negative": np.negative,
    "clip": _clip,
    "softmax": _softmax,
}  # type: Dict[str, Callable[..., Any]]
"""Of an activation and a layer's settings, by their names."""

LAYERS: Dict[str, Build] = {
    "op": _op,
    "max_pool": partial(_pool, np.maximum, -np.inf),
    "avg_pool": partial(_pool, np.add, 0),
    "global_max_pool": partial(_global, np.max),
    "global_avg_pool": partial(_global, np.mean),
    "prelu": _prelu,
    "batch_norm": _batch_norm,
    "add": partial(_join, np.add),
    "subtract": partial(_join, np.subtract),
    "multiply": partial(_join, np.multiply),
    "divide": partial(_join, np.divide),
    "maximum": partial(_join, np.maximum),
    "minimum": partial(_join, np.minimum),
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "identity": _identity,
    "lift": _lift,
}
LAYERS.update((name, partial(_of_settings, function)) for name, function in FUNCTIONS.items())
