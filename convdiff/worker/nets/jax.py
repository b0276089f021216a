"""Nets in JAX: jitted whole for each shape, or op by op."""

from functools import lru_cache, partial
from typing import Any, Container, Dict, Iterator, Tuple

import numpy as np

from .. import layout
from ..ops.axis import moves_of
from ..ops.net import Layer, Net
from . import pools
from .context import Context
from .steps import (
    KEPT,
    Build,
    Call,
    build,
    flat,
    folded,
    in_order,
    joined,
    named,
    sizes_of,
    tensors,
    unfolded,
    walk,
)


class JaxNet(object):
    """Activations are N[[D]H]WC."""

    def __init__(self, jax: Any, net: Net, arrays: Dict[str, Any], ways: Dict[str, Any]) -> None:
        """ways: what the framework's file has and this one needs, by name.

        `on()` is the context of the device; `tensor(array)` and `array(tensor)` go to JAX and back;
        `op(conv)` returns what computes an op of (x, w); `jitted` is whether all is.
        """
        self.jax, self.net, self.ways = jax, net, ways
        with ways["on"]():
            self.tensors = tensors(net, arrays, self._tensor, flat(net))
        self.functions = lru_cache(KEPT)(self._function)

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC, each as soon as it is there."""
        shape, names = input_nhwc.shape, named(self.net, fetched)
        with self.ways["on"]():
            x = self.ways["tensor"](unfolded(self.net, input_nhwc))
            if self.ways["jitted"]:
                whole = self.functions(shape, names)(x, self.tensors)
                activations = in_order(whole, names)
            else:
                activations = self._walk(shape, names, x, self.tensors)
            for name, y in activations:
                yield name, folded(self.ways["array"](y))

    def _walk(
        self, shape: Tuple[int, ...], names: Tuple[str, ...], x: Any, tensors: Any
    ) -> Iterator[Tuple[str, Any]]:
        steps = build(LAYERS, self, self.net, tensors, sizes_of(self.net, shape))
        return walk(self.net, steps, x, names)

    def _function(self, shape: Tuple[int, ...], names: Tuple[str, ...]) -> Any:
        """Return the net as one function; its weights are arguments: constants would be folded."""
        return self.jax.jit(lambda *given: dict(self._walk(shape, names, *given)))

    def _tensor(self, layer: Layer, role: str, array: Any) -> Any:
        return self.ways["tensor"](array)


def _op(jax: JaxNet, context: Context) -> Call:
    conv, w, bias = context.conv, context.arrays["filter"], context.arrays.get("bias")
    compute = jax.ways["op"](conv)

    def call(x: Any) -> Any:
        if not conv.transposed:
            x, _ = layout.cropped(x, conv.own_pads(x))
        return _biased(compute(x, w), bias)

    return call


def _biased(y: Any, bias: Any) -> Any:
    return y if bias is None else y + bias


def _dense(jax: JaxNet, context: Context) -> Call:
    compute, bias = jax.ways["op"](context.conv), context.arrays.get("bias")
    w = context.arrays["filter"][0]
    return lambda x: _biased(compute(x, w), bias)


def _pool(kind: str, jax: JaxNet, context: Context) -> Call:
    """Return a reduction over windows, as Flax makes its pools."""
    lax, rest = jax.jax.lax, moves_of(context.rest(context.layer.axes))
    size, strides, dilations = ([1] + values + [1] for values in rest)
    pads = [(0, 0)] + context.pads + [(0, 0)]
    value, reduce = (-np.inf, lax.max) if kind == "max" else (0.0, lax.add)

    def call(x: Any) -> Any:
        start = np.array(value, x.dtype)
        return lax.reduce_window(x, start, reduce, size, strides, pads, window_dilation=dilations)

    if kind == "max":
        return call
    divisor = pools.own_counts(context)[..., None]
    return lambda x: call(x) / divisor.astype(x.dtype)


def _global(name: str, jax: JaxNet, context: Context) -> Call:
    axes = tuple(range(1, context.net.rank + 1))
    return lambda x: getattr(jax.jax.numpy, name)(x, axis=axes, keepdims=True)


def _named(name: str, jax: JaxNet, context: Context) -> Call:
    """Return a function of jax.nn, or else of jax.numpy, with the layer's settings."""
    values = list(context.settings.values())
    function = getattr(jax.jax.nn, name, None) or getattr(jax.jax.numpy, name)
    return lambda x: function(x, *values)


def _hard_sigmoid(jax: JaxNet, context: Context) -> Call:
    alpha, beta = context.settings["alpha"], context.settings["beta"]
    if (alpha, beta) == (1 / 6, 0.5):
        return jax.jax.nn.hard_sigmoid  # type: ignore[no-any-return]
    return lambda x: jax.jax.numpy.clip(alpha * x + beta, 0, 1)


def _prelu(jax: JaxNet, context: Context) -> Call:
    return lambda x: jax.jax.numpy.where(x >= 0, x, context.arrays["slope"] * x)


def _batch_norm(jax: JaxNet, context: Context) -> Call:
    """Return what Flax makes of it, in its order."""
    given, epsilon = context.arrays, context.settings["epsilon"]

    def call(x: Any) -> Any:
        scale = jax.jax.lax.rsqrt(given["variance"] + epsilon) * given["scale"]
        return (x - given["mean"]) * scale + given["shift"]

    return call


def _join(name: str, jax: JaxNet, context: Context) -> Call:
    return joined(getattr(jax.jax.numpy, name), context)


def _concat(jax: JaxNet, context: Context) -> Call:
    axis = 1 if context.flat else context.joined
    return lambda *given: jax.jax.numpy.concatenate(given, axis)


def _pad(jax: JaxNet, context: Context) -> Call:
    settings = context.settings
    own = [(before, after, 0) for before, after in context.rest(settings["padding"])]
    pads = [(0, 0, 0)] + own + [(0, 0, 0)]
    return lambda x: jax.jax.lax.pad(x, np.array(settings["value"], x.dtype), pads)


def _flatten(jax: JaxNet, context: Context) -> Call:
    channels_first = context.settings["order"] == "chw"

    def call(x: Any) -> Any:
        if channels_first:
            x = jax.jax.numpy.moveaxis(x, -1, 1)
        return x.reshape(x.shape[0], -1)

    return call


def _reshape(jax: JaxNet, context: Context) -> Call:
    return lambda x: x.reshape(x.shape[:1] + context.fixed)


def _lift(jax: JaxNet, context: Context) -> Call:
    ones = (1,) * context.net.rank
    return lambda x: x.reshape(x.shape[:1] + ones + x.shape[1:])


def _identity(jax: JaxNet, context: Context) -> Call:
    return lambda x: x


LAYERS: Dict[str, Build] = {
    "op": _op,
    "dense": _dense,
    "max_pool": partial(_pool, "max"),
    "avg_pool": partial(_pool, "avg"),
    "global_max_pool": partial(_global, "max"),
    "global_avg_pool": partial(_global, "mean"),
    "hard_sigmoid": _hard_sigmoid,
    "prelu": _prelu,
    "batch_norm": _batch_norm,
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "identity": _identity,
    "lift": _lift,
    "softsign": partial(_named, "soft_sign"),
}
for _name in ("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_swish"):
    LAYERS[_name] = partial(_named, _name)
for _name in ("softplus", "softmax", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "negative"):
    LAYERS[_name] = partial(_named, _name)
LAYERS["clip"] = partial(_named, "clip")
for _name in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
    LAYERS[_name] = partial(_join, _name)
