"""Nets in JAX: jitted whole for each shape, or op by op."""

from functools import lru_cache, partial
from typing import Any, Container, Dict, Iterator, Tuple

import numpy as np

from .. import layout
from ..ops.net import Layer, Net
from ..ops.net_shapes import moves
from . import pools
from .steps import (
    KEPT,
    Build,
    Call,
    Place,
    build,
    constant,
    flat,
    folded,
    joined,
    named,
    sizes_of,
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
            self.tensors = {layer.name: self._tensors(layer, arrays) for layer in net.layers}
        self.functions = lru_cache(KEPT)(self._function)

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC, each as soon as it is there."""
        shape, names = input_nhwc.shape, named(self.net, fetched)
        with self.ways["on"]():
            x = self.ways["tensor"](unfolded(self.net, input_nhwc))
            if self.ways["jitted"]:
                activations = self.functions(shape, names)(x, self.tensors)
                found = iter([(name, activations[name]) for name in names])
            else:
                found = self._walk(shape, names, x, self.tensors)
            for name, y in found:
                yield name, folded(self.ways["array"](y))

    def _walk(
        self, shape: Tuple[int, ...], names: Tuple[str, ...], x: Any, tensors: Any
    ) -> Iterator[Tuple[str, Any]]:
        steps = build(LAYERS, self, self.net, tensors, sizes_of(self.net, shape))
        return walk(self.net, steps, x, names)

    def _function(self, shape: Tuple[int, ...], names: Tuple[str, ...]) -> Any:
        """Return the net as one function; its weights are arguments: constants would be folded."""
        return self.jax.jit(lambda *given: dict(self._walk(shape, names, *given)))

    def _tensors(self, layer: Layer, arrays: Dict[str, Any]) -> Dict[str, Any]:
        rank = 0 if layer.name in flat(self.net) else self.net.rank
        made = {}
        for role, key in layer.arrays.items():
            array = arrays[key]
            if role == "filter":
                array = layer.conv.own_filter(array)
            elif role == "constant":
                array = constant(array, rank)
            made[role] = self.ways["tensor"](array)
        return made


def _op(jax: JaxNet, place: Place) -> Call:
    conv, w, bias = place.conv, place.arrays["filter"], place.arrays.get("bias")
    compute = jax.ways["op"](conv)

    def call(x: Any) -> Any:
        if not conv.transposed:
            x, _ = layout.cropped(x, conv.own_pads(x))
        y = compute(x, w)
        return y if bias is None else y + bias

    return call


def _dense(jax: JaxNet, place: Place) -> Call:
    compute, bias = jax.ways["op"](place.conv), place.arrays.get("bias")
    w = place.arrays["filter"][0]
    return lambda x: compute(x, w) if bias is None else compute(x, w) + bias


def _pool(kind: str, jax: JaxNet, place: Place) -> Call:
    """Return a reduction over windows, as Flax makes its pools."""
    lax, axes = jax.jax.lax, place.rest(moves(place.layer, place.size))
    size, strides, dilations = ((1,) + tuple(axis[n] for axis in axes) + (1,) for n in range(3))
    pads = [(0, 0)] + [axis.padding for axis in axes] + [(0, 0)]
    value, reduce = (-np.inf, lax.max) if kind == "max" else (0.0, lax.add)
    divisor = pools.counts(place.layer, place.size)
    divisor = divisor.reshape(divisor.shape[-place.net.rank :] + (1,))

    def call(x: Any) -> Any:
        start = np.array(value, x.dtype)
        y = lax.reduce_window(x, start, reduce, size, strides, pads, window_dilation=dilations)
        return y if kind == "max" else y / divisor.astype(x.dtype)

    return call


def _global(name: str, jax: JaxNet, place: Place) -> Call:
    axes = tuple(range(1, place.net.rank + 1))
    return lambda x: getattr(jax.jax.numpy, name)(x, axis=axes, keepdims=True)


def _named(name: str, jax: JaxNet, place: Place) -> Call:
    """Return a function of jax.nn, or else of jax.numpy, with the layer's settings."""
    values = list(place.layer.settings.values())
    function = getattr(jax.jax.nn, name, None) or getattr(jax.jax.numpy, name)
    return lambda x: function(x, *values)


def _hard_sigmoid(jax: JaxNet, place: Place) -> Call:
    alpha, beta = place.layer.settings["alpha"], place.layer.settings["beta"]
    if (alpha, beta) == (1 / 6, 0.5):
        return jax.jax.nn.hard_sigmoid  # type: ignore[no-any-return]
    return lambda x: jax.jax.numpy.clip(alpha * x + beta, 0, 1)


def _prelu(jax: JaxNet, place: Place) -> Call:
    return lambda x: jax.jax.numpy.where(x >= 0, x, place.arrays["slope"] * x)


def _batch_norm(jax: JaxNet, place: Place) -> Call:
    """Return what Flax makes of it, in its order."""
    given, epsilon = place.arrays, place.layer.settings["epsilon"]

    def call(x: Any) -> Any:
        scale = jax.jax.lax.rsqrt(given["variance"] + epsilon) * given["scale"]
        return (x - given["mean"]) * scale + given["shift"]

    return call


def _join(name: str, jax: JaxNet, place: Place) -> Call:
    return joined(getattr(jax.jax.numpy, name), place)


def _concat(jax: JaxNet, place: Place) -> Call:
    axis = 1 if place.flat else place.joined
    return lambda *given: jax.jax.numpy.concatenate(given, axis)


def _pad(jax: JaxNet, place: Place) -> Call:
    settings = place.layer.settings
    pads = (
        [(0, 0, 0)] + [tuple(pair) + (0,) for pair in place.rest(settings["padding"])] + [(0, 0, 0)]
    )
    return lambda x: jax.jax.lax.pad(x, np.array(settings["value"], x.dtype), pads)


def _flatten(jax: JaxNet, place: Place) -> Call:
    channels_first = place.layer.settings["order"] == "chw"

    def call(x: Any) -> Any:
        y = jax.jax.numpy.moveaxis(x, -1, 1) if channels_first else x
        return y.reshape(x.shape[0], -1)

    return call


def _reshape(jax: JaxNet, place: Place) -> Call:
    return lambda x: x.reshape(x.shape[:1] + place.fixed)


def _lift(jax: JaxNet, place: Place) -> Call:
    ones = (1,) * place.net.rank
    return lambda x: x.reshape(x.shape[:1] + ones + x.shape[1:])


def _identity(jax: JaxNet, place: Place) -> Call:
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
