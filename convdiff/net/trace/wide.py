"""What a layer that sums no products of a filter is to give: NumPy's net, one precision wider.

Rounded once, that is the correctly rounded value for +, −, ×, ÷ and √ of float32 (Figueroa, "When
is double rounding innocuous?", SIGNUM Newsletter, 1995); for other functions it is wherever the
wider value is not too near to the middle between two floats, which is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.net.field import cut
from convdiff.net.trace.products import Products
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_to
from convdiff.worker.nets.context import Context
from convdiff.worker.nets.numpy import LAYERS
from convdiff.worker.nets.steps import folded, unfolded
from convdiff.worker.ops.net import Layer, Net
from convdiff.worker.ops.net_shapes import BY_FAMILY, BY_OP, Extents

Arrays = Mapping[str, Array]
Depths = Mapping[str, int]
"""How deep a layer's sources are, in a net of three dimensions; 1 is what is left out."""
FLAT: Depths = {}
SLACK = 4
"""Bits that the wider format's own functions may lose."""
SUMS = ("avg_pool", "global_avg_pool", "batch_norm", "softmax", "add", "subtract")
"""Layers that add, and are held against the size of what is added; so are those of CANCELLING."""


@dataclass(frozen=True)
class Truth:
    """What a layer is to give, one precision wider, and how near that can be known."""

    values: Array
    scale: Array
    """The size of the terms, or of the values where nothing is added."""

    def rounded(self, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return the two values that it may round to, the same ones where that is known."""
        slack = self.scale * 2.0 ** (SLACK - np.finfo(self.values.dtype).nmant)
        low, high = self.values - slack, self.values + slack
        if self.values.dtype == np.float64:
            return round_to(low, dtype), round_to(high, dtype)
        return low.astype(dtype), high.astype(dtype)

    def at(self, columns: Array, images: int) -> Truth:
        """Return what is true at the columns of a mask, of the first images."""
        return Truth(cut(self.values, columns, images), cut(self.scale, columns, images))


def truth_of(
    net: Net, layer: Layer, arrays: Arrays, inputs: Sequence[Array], depths: Depths = FLAT
) -> Truth:
    """Return what a layer is to give for these inputs, NHWC."""
    wide = np.longdouble if inputs[0].dtype == np.float64 else np.float64
    layer = as_held(layer, inputs[0].dtype)
    values = run_wide(net, layer, arrays, inputs, wide, depths)
    scale = np.abs(values)
    if layer.op in CANCELLING:
        scale = np.maximum(scale, CANCELLING[layer.op](layer, np.abs(inputs[0].astype(wide))))
    if layer.op in SUMS:
        terms = run_wide(net, layer, *absolute(layer, arrays, inputs), wide, depths)
        scale = np.maximum(np.abs(terms), scale)
    return Truth(values, scale)


def as_held(layer: Layer, dtype: np.dtype[Any]) -> Layer:
    """Return a layer with its settings as one of this type has them."""
    settings = dict(layer.settings)
    for name, value in settings.items():
        if isinstance(value, float):
            settings[name] = float(np.asarray(value, dtype))
    return layer._replace(settings=settings)


def run_wide(
    net: Net,
    layer: Layer,
    arrays: Arrays,
    inputs: Sequence[Array],
    wide: Any,
    depths: Depths = FLAT,
) -> Array:
    """Run one layer in NumPy, NHWC; what is of other formats is made wider first."""
    deep = [depths.get(source, 1) for source in layer.sources]
    layer = layer._replace(sources=tuple(map(str, range(len(inputs)))))
    given = Net((layer,), (layer.name,), net.dtype, net.rank)
    sizes, wider = dict[str, Extents](), []
    for name, depth, one in zip(layer.sources, deep, inputs, strict=True):
        sizes[name] = (depth, one.shape[1] // depth, *one.shape[2:])
        wider.append(unfolded(given._replace(depth=depth), one.astype(wide)))
    grow = BY_OP.get(layer.op) or BY_FAMILY[layer.kind.family]
    sizes[layer.name] = grow(layer, [sizes[name] for name in layer.sources])
    if layer.op in FUNCTIONS:
        return np.asarray(folded(FUNCTIONS[layer.op](layer)(*wider)))
    held = {name: array.astype(wide) for name, array in arrays.items()}
    maker = LAYERS.get(layer.op) or LAYERS[layer.kind.family]
    return np.asarray(folded(maker(Products(), Context(layer, given, held, sizes))(*wider)))


def absolute(
    layer: Layer, arrays: Arrays, inputs: Sequence[Array]
) -> tuple[Arrays, Sequence[Array]]:
    """Return arrays and inputs with which a layer that adds gives the size of its terms."""
    signs = {"mean": -1, "variance": 1}
    positive = {name: signs.get(name, 1) * np.abs(array) for name, array in arrays.items()}
    if layer.op == "subtract":
        first, *rest = inputs
        negative = {name: -array for name, array in positive.items()}
        return negative, [np.abs(first), *(-np.abs(one) for one in rest)]
    return positive, list(map(np.abs, inputs))


def _gelu(layer: Layer) -> Callable[[Array], Array]:
    """Return GELU without the cancellation of its definition."""
    if layer.settings["approximate"]:
        c = math.sqrt(2 / math.pi)
        return lambda x: x / (1 + np.exp(-2 * c * (x + 0.044715 * x * x * x)))
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    return lambda x: x * 0.5 * erfc(-x / math.sqrt(2))


FUNCTIONS: Mapping[str, Callable[[Layer], Callable[[Array], Array]]] = {"gelu": _gelu}
"""Functions whose definition loses bits."""


CANCELLING: Mapping[str, Callable[[Layer, Array], Array | float]] = {
    "elu": lambda layer, _: abs(layer.settings["alpha"]),
    "selu": lambda *_: 1.76,
    "softplus": lambda *_: 1.0,
    "gelu": lambda _, size: size,
    "hard_sigmoid": lambda layer, _: abs(layer.settings["beta"]),
    "hard_swish": lambda _, size: size,
}
"""Functions that add what may cancel, as eˣ − 1 does: the size of that, of the layer and |x|."""
