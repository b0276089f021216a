"""What an average pool divides by. Runs on Python 3.6."""

from typing import Any

import numpy as np

from ..ops.net import Layer
from ..ops.net_shapes import Extents, moves, spatial
from .context import Context


def counts(layer: Layer, size: Extents) -> Any:
    """Return by what each window's sum is divided, an axis for each of the pool's size; int64.

    The inputs in it; with `count_include_pad` the padding too, but not what `ceil_mode` adds.
    """
    result = np.ones((), np.int64)
    axes = moves(layer, size)
    for asked, axis, extent in zip(layer.axes, axes, spatial(size, len(axes))):
        before, after = asked.pad(extent) if layer.settings.get("count_include_pad") else (0, 0)
        first = np.arange(axis.extent(extent))[:, None] * axis.stride - axis.padding[0]
        read = first + np.arange(axis.kernel) * axis.dilation
        inside = (read >= -before) & (read < extent + after)
        result = np.multiply.outer(result, inside.sum(axis=1))
    return result


def own_counts(context: Context) -> Any:
    """Return the same with the axes that the net has."""
    divisors = counts(context.layer, context.size)
    return divisors.reshape(divisors.shape[-context.net.rank :])


def share(context: Context) -> Any:
    """Return what share of each window counts, as `own_counts`; float64.

    What divides by the whole window's size has to be divided by it.
    """
    return own_counts(context) / np.prod(context.settings["size"])
