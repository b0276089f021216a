"""Several layers of which only the last was looked at, held against float64.

What a framework fuses has no activations in between; its end is none the less right or wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from convdiff.net.trace.judged import absolute, run_wide
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.net import Layer, Net

LIKELY = 8.0
"""Times √n·u·A: what n roundings of terms that add up to A stay within, one element and all."""


@np.errstate(all="ignore")
def off_likely(
    net: Net,
    layers: Sequence[Layer],
    arrays: Mapping[str, Mapping[str, Array]],
    given: Mapping[str, Array],
    sides: Sequence[Array],
    columns: Array,
) -> float:
    """Return how far sides are off at most, in units of what roundings are likely to give.

    layers: in the net's order, the last one looked at. arrays: of each, by their names in
    `Kind.arrays`. given: what the first of them read, whole, NHWC. sides: the last's activations at
    the `columns`, bool, that see the same.
    """
    values, sizes = dict(given), {name: np.abs(array) for name, array in given.items()}
    roundings = 0
    for layer in layers:
        own = arrays[layer.name]
        read = [values[name] for name in layer.sources]
        values[layer.name] = run_wide(net, layer, own, read, np.float64)
        terms = absolute(layer, own, [sizes[name] for name in layer.sources])
        sizes[layer.name] = np.abs(run_wide(net, layer, *terms, np.float64))
        roundings += layer.conv.taps + 1 if layer.kind.family == "op" else 4
    true, size = (
        one[layers[-1].name][: len(sides[0]), :, : len(columns)][:, :, columns]
        for one in (values, sizes)
    )
    bound = LIKELY * math.sqrt(roundings) * format_of(sides[0]).unit_roundoff * size
    worst = 0.0
    for side in sides:
        error = np.abs(side.astype(np.float64) - true)
        ratio = np.where(error == 0, 0.0, error / bound)
        worst = max(worst, float(np.where(np.isnan(ratio), np.inf, ratio).max(initial=0.0)))
    return worst
