"""Several layers of which only the last was looked at, held against float64.

What a framework fuses has no activations in between; its end is none the less right or wrong. Each
layer passes on the errors of what it reads and adds its own (Higham, "Accuracy and Stability of
Numerical Algorithms", 2002, chapter 3): running error bounds, with √n in place of n roundings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from convdiff.net.field import cut
from convdiff.net.trace.judged import chooses
from convdiff.net.trace.wide import CANCELLING, FLAT, SUMS, Depths, absolute, as_held, run_wide
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.net import Layer, Net

LIKELY = 8.0
"""Times √n·u·A: what n roundings of terms that add up to A stay within, one element and all."""
LINEAR = ("batch_norm", "add", "subtract", "concat", "max_pool", "avg_pool")
"""Kinds, besides those of the families of LINEAR_FAMILIES, that give the errors of what they read
as they give what they read, or less: a largest one is off by the largest error at most."""
LINEAR_FAMILIES = ("op", "global", "move")
ADDED = ("bias", "shift", "mean", "constant")
"""Arrays that a linear layer adds, whatever it reads."""
Wide = Callable[..., Array]
"""Runs a layer in float64: of the layer, its arrays, and what it reads."""
TINY = 4
"""Times what may be taken for zero: functions that scale by powers of two do so a little above."""
OWN_ROUNDINGS = 4
"""Of a layer that adds few terms."""


@np.errstate(all="ignore")
def off_likely(
    net: Net,
    layers: Sequence[Layer],
    arrays: Mapping[str, Mapping[str, Array]],
    given: Mapping[str, Array],
    sides: Sequence[Array],
    columns: Array,
    depths: Depths = FLAT,
) -> float:
    """Return how far sides are off at most, in units of what roundings are likely to give.

    layers: in the net's order, the last one looked at. arrays: of each, by their names in
    `Kind.arrays`. given: what the first of them read, whole, NHWC. sides: the last's activations at
    the `columns`, bool, that see the same. depths: of all that is read.
    """
    wide = partial(run_wide, net, wide=np.float64, depths=depths)
    unit = format_of(sides[0]).unit_roundoff
    values = dict(given)
    errors = {name: np.zeros_like(array, float) for name, array in given.items()}
    for one in layers:
        layer, own = as_held(one, sides[0].dtype), arrays[one.name]
        read = [values[name].astype(np.float64) for name in layer.sources]
        y = values[layer.name] = wide(layer, own, read)
        errors[layer.name] = LIKELY * unit * _own(wide, layer, own, read, y)
        before = [errors[name] for name in layer.sources]
        if any(map(np.any, before)):
            errors[layer.name] += _passed_on(wide, layer, own, read, before, y)
    last = layers[-1].name
    true, bound = (cut(one[last], columns, len(sides[0])) for one in (values, errors))
    return max(_off(side, true, bound) for side in sides)


def _off(side: Array, true: Array, bound: Array) -> float:
    """Return the largest error of a side in units of its bound.

    What is too large for its format may be infinite, and what is too small for it, zero. Where the
    terms add up to more than the format holds, sums of some of them may be infinite, and of these
    NaN; in float64 so may the reference.
    """
    kind = format_of(side)
    exact = side.astype(np.float64)
    error = np.abs(exact - true)
    right = (exact == true) | (np.isnan(exact) & np.isnan(true))
    right |= np.isinf(exact) & (np.sign(exact) * (true + np.sign(true) * bound) > kind.largest)
    right |= ~np.isfinite(exact) & ~(bound <= LIKELY * kind.unit_roundoff * kind.largest)
    right |= (side.dtype == np.float64) & np.isinf(bound)
    ratio = np.where(right, 0.0, error / (bound + TINY * kind.flushed))
    return float(np.where(np.isnan(ratio), np.inf, ratio).max(initial=0.0))


def _passed_on(
    wide: Wide,
    layer: Layer,
    arrays: Mapping[str, Array],
    read: Sequence[Array],
    errors: Sequence[Array],
    y: Array,
) -> Array:
    """Return what errors of what a layer reads make of its output `y` at most, to first order."""
    if layer.op == "softmax":  # e^x, and the sum of all of them
        return np.asarray(y * 2 * errors[0].max(axis=-1, keepdims=True))
    if layer.op in LINEAR or layer.kind.family in LINEAR_FAMILIES:
        added = {name: np.zeros_like(arrays[name]) for name in ADDED if name in arrays}
        none = {**arrays, **added}
        if layer.op == "pad":
            layer = layer._replace(settings={**layer.settings, "value": 0.0})
        return np.abs(wide(layer, *absolute(layer, none, errors)))
    total = np.zeros_like(y)
    for number, error in enumerate(errors):
        off = []
        for moved in (read[number] - error, read[number] + error):
            inputs = [*read[:number], moved, *read[number + 1 :]]
            off.append(np.abs(wide(layer, arrays, inputs) - y))
        total += np.maximum(*off)
    return total


def _own(
    wide: Wide, layer: Layer, arrays: Mapping[str, Array], read: Sequence[Array], y: Array
) -> Array:
    """Return √n times the size of what a layer rounds, n times, itself."""
    if chooses(layer):
        return np.zeros_like(y)
    if layer.op == "softmax":  # x − max is rounded before e^x
        spread = 1 + np.ptp(read[0], axis=-1, keepdims=True)
        return np.asarray(math.sqrt(y.shape[-1]) * y * spread)
    if layer.kind.family == "elementwise":  # which may cancel what it reads
        size = np.maximum(np.abs(y), np.abs(read[0]))
        if layer.op in CANCELLING:
            size = np.maximum(size, CANCELLING[layer.op](layer, size))
        return np.asarray(math.sqrt(OWN_ROUNDINGS) * size)
    if layer.op not in SUMS and layer.kind.family != "op":
        return math.sqrt(OWN_ROUNDINGS) * np.abs(y)
    terms = wide(layer, *absolute(layer, arrays, read))
    return math.sqrt(_terms(layer, read)) * np.abs(terms)


def _terms(layer: Layer, read: Sequence[Array]) -> int:
    """Return how many terms a layer adds for each value."""
    if layer.kind.family == "op":
        return layer.conv.taps + 1
    if layer.kind.family == "pool":
        return math.prod(layer.settings["size"])
    if layer.kind.family == "global":
        return math.prod(read[0].shape[1:3])
    return OWN_ROUNDINGS
