"""Layers that sum no products of a filter, held against what they are to give.

The reference is NumPy's net (`convdiff.worker.nets.numpy`) one precision wider, rounded once. For
+, −, ×, ÷ and √ of float32 that is the correctly rounded value (Figueroa, "When is double rounding
innocuous?", SIGNUM Newsletter, 1995); for other functions it is wherever the wider value is not too
near to the middle between two floats, which is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from convdiff.diagnose.verdicts import Verdict
from convdiff.net.trace.model import Judged
from convdiff.net.trace.products import Products
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of, round_to, spacing
from convdiff.numerics.rounding import flushed
from convdiff.worker.nets.numpy import LAYERS
from convdiff.worker.nets.steps import Place, folded, unfolded
from convdiff.worker.ops.net import Layer, Net
from convdiff.worker.ops.net_shapes import BY_FAMILY, BY_OP, Extents

Arrays = Mapping[str, Array]
Sides = tuple[Array, Array]
Depths = Mapping[str, int]
"""How deep a layer's sources are, in a net of three dimensions; 1 is what is left out."""
FLAT: Depths = {}
SLACK = 4
"""Bits that the wider format's own functions may lose."""
FUNCTION_ULPS = 8.0
"""How far a function of one number may be off and still be called rounding."""
NARROWED = 2.0**-8
"""More than this share of its terms is no rounding to a narrower format."""
MOVING = (
    *("max_pool", "global_max_pool", "relu", "relu6", "abs", "negative", "clip"),
    *("maximum", "minimum", "concat"),
)
"""Layers that choose, and so round nothing; nor do those of the family `move`."""
SIGNED = ("concat", "abs", "negative")
"""Layers that say which sign a zero has, as those of the family `move` do; a maximum does not."""
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

    def of(self, images: int, columns: Array) -> Truth:
        """Return what is true of the first images and of some columns, bool (columns,)."""
        values, scale = (
            one[:images, :, : len(columns)][:, :, columns] for one in (self.values, self.scale)
        )
        return Truth(values, scale)


def judge_layer(
    net: Net,
    layer: Layer,
    arrays: Arrays,
    inputs: Sequence[Array],
    sides: Sides,
    columns: Array,
    depths: Depths = FLAT,
) -> tuple[Verdict, Judged]:
    """Return a verdict on two activations of a layer whose inputs are equal; see `judge_sides`.

    inputs: what it reads, whole, NHWC, of the run with the longer activation.
    """
    return judge_sides(net, layer, arrays, [inputs], sides, columns, depths)


@np.errstate(all="ignore")
def judge_sides(
    net: Net,
    layer: Layer,
    arrays: Arrays,
    inputs: Sequence[Sequence[Array]],
    sides: Sides,
    columns: Array,
    depths: Depths = FLAT,
) -> tuple[Verdict, Judged]:
    """Return a verdict on two activations of a layer, and what it is based on.

    arrays: by their names in `Kind.arrays`. inputs: what it reads on each side, or once for both,
    whole, NHWC. sides: baseline and candidate at the `columns`, bool, that see the same.
    """
    whole = [truth_of(net, layer, arrays, one, depths) for one in inputs]
    truths = [one.of(len(sides[0]), columns) for one in whole]
    each = [
        _held_against(truth, side, _is_signed(layer))
        for truth, side in zip((truths[0], truths[-1]), sides, strict=True)
    ]
    wrong, ulps = (each[0].wrong, each[1].wrong), (each[0].ulps, each[1].ulps)
    undecided = max(one.undecided for one in each)
    judged = Judged(sides[0].size, wrong, ulps, undecided)
    allowed = max(_allowed(layer, one) for one in inputs)
    verdict = _verdict(layer, allowed, max(ulps), format_of(sides[0]).precision)
    if verdict == "wrong" and _are_flushed(net, layer, arrays, inputs, sides, columns, depths):
        verdict = "precision"
    return verdict, judged


def _are_flushed(
    net: Net,
    layer: Layer,
    arrays: Arrays,
    inputs: Sequence[Sequence[Array]],
    sides: Sides,
    columns: Array,
    depths: Depths,
) -> bool:
    """Return whether both sides are right where subnormal numbers may be taken for zero.

    Of what is read, of what is given, or of both, element by element.
    """
    flat = {name: _flushed(array) for name, array in arrays.items()}
    is_signed = _is_signed(layer)
    for number, side in enumerate(sides):
        own = inputs[number % len(inputs)]
        allowed, errors = _allowed(layer, own), []
        for held, read in ((arrays, own), (flat, [_flushed(one) for one in own])):
            truth = truth_of(net, layer, held, read, depths).of(len(side), columns)
            low, high = truth.rounded(side.dtype)
            is_zero = (side == _flushed(low)) | (side == _flushed(high))
            error = np.where(is_zero, 0, _error(side, truth, low, high))
            errors.append(np.where(_turned(side, low) & is_signed, np.inf, error))
        if np.min(errors, axis=0).max(initial=0.0) > allowed:
            return False
    return True


def _turned(side: Array, right: Array) -> Array:
    """Return which zeros have another sign than the number, or zero, that is right."""
    is_zero = (side == 0) & (_flushed(right) == 0)
    return np.asarray(is_zero & (np.signbit(side) != np.signbit(right)))


def _flushed(values: Array) -> Array:
    return flushed(values, values.dtype.name)


def _is_signed(layer: Layer) -> bool:
    return layer.kind.family == "move" or layer.op in SIGNED


class _Side(NamedTuple):
    """One side held against what it is to give; see `Judged`."""

    wrong: int
    ulps: float
    undecided: int


def _held_against(truth: Truth, side: Array, is_signed: bool) -> _Side:
    low, high = truth.rounded(side.dtype)
    error = _error(side, truth, low, high)
    if is_signed:
        error = np.maximum(error, _turned(side, low))
    undecided = int(np.count_nonzero((low != high) & ~np.isnan(low)))
    return _Side(int(np.count_nonzero(error)), float(error.max(initial=0.0)), undecided)


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
    settings = {name: _held(value, dtype) for name, value in layer.settings.items()}
    return layer._replace(settings=settings)


def _held(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a setting as a layer of this type holds it."""
    return float(np.asarray(value, dtype)) if isinstance(value, float) else value


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
    names = [f"{number}" for number in range(len(inputs))]
    layer = layer._replace(sources=tuple(names))
    given = Net((layer,), (layer.name,), net.dtype, net.rank)
    sizes: dict[str, Extents] = {
        name: (depth, one.shape[1] // depth, *one.shape[2:])
        for name, depth, one in zip(names, deep, inputs, strict=True)
    }
    sizes[layer.name] = _size(layer, sizes)
    held = {name: array.astype(wide) for name, array in arrays.items()}
    place = Place(layer, given, held, sizes)
    function = FUNCTIONS.get(layer.op)
    maker = LAYERS.get(layer.op) or LAYERS[layer.kind.family]
    call = function(layer) if function else maker(Products(), place)
    wider = [
        unfolded(given._replace(depth=depth), one.astype(wide))
        for depth, one in zip(deep, inputs, strict=True)
    ]
    return np.asarray(folded(call(*wider)))


def _size(layer: Layer, sizes: Mapping[str, Extents]) -> Extents:
    grow = BY_OP.get(layer.op) or BY_FAMILY[layer.kind.family]
    return grow(layer, [sizes[name] for name in layer.sources])


def absolute(
    layer: Layer, arrays: Arrays, inputs: Sequence[Array]
) -> tuple[Arrays, Sequence[Array]]:
    """Return arrays and inputs with which a layer that adds gives the size of its terms."""
    signs = {"mean": -1, "variance": 1}
    positive = {name: signs.get(name, 1) * np.abs(array) for name, array in arrays.items()}
    if layer.op == "subtract":
        first, *rest = (np.abs(one) for one in inputs)
        negative = {name: -array for name, array in positive.items()}
        return negative, [first, *(-one for one in rest)]
    return positive, [np.abs(one) for one in inputs]


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


def _error(side: Array, truth: Truth, low: Array, high: Array) -> Array:
    """Return by how many ulps values are off, at the size of their terms; 0 where they are right.

    Infinite where a value or the right one is not finite, and they are not the same.
    """
    right = (side == low) | (side == high) | (np.isnan(side) & np.isnan(low))
    unit = spacing(truth.scale.astype(np.float64), format_of(side))
    size = np.abs(side.astype(truth.values.dtype) - truth.values).astype(np.float64) / unit
    return np.where(right, 0.0, np.where(np.isnan(size), np.inf, size))


def _verdict(layer: Layer, allowed: float, ulps: float, precision: int) -> Verdict:
    """Return what errors of so many ulps are called; allowed: of how many by rounding alone."""
    if ulps <= allowed:
        return "rounding"
    if layer.kind.family == "move" or layer.op in MOVING:
        return "wrong"
    return "precision" if ulps * 2.0**-precision <= NARROWED else "wrong"


def _allowed(layer: Layer, inputs: Sequence[Array]) -> float:
    """Return by how many ulps a layer may be off by rounding alone."""
    if layer.kind.family == "move" or layer.op in MOVING:
        return 0.0
    terms: float = len(inputs) + len(layer.arrays)
    if layer.op == "softmax":  # x − max is rounded before e^x
        spread = float(np.ptp(inputs[0].astype(np.float64), axis=-1).max(initial=0.0))
        terms += inputs[0].shape[3] + (spread if math.isfinite(spread) else 0.0)
    if layer.op == "global_avg_pool":
        terms += math.prod(inputs[0].shape[1:3])
    if layer.kind.family == "pool":
        terms += math.prod(layer.settings["size"])
    return max(FUNCTION_ULPS, terms)
