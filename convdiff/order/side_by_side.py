"""Two explained outputs, element by element: those that see the same inputs."""

from __future__ import annotations

from convdiff.compare.align import aligned, shared
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders


def side_by_side(
    orders: tuple[Orders, Orders], baseline: Array, candidate: Array
) -> tuple[Array, Array]:
    """Return two NHWC arrays of these outputs cut to the elements that see the same inputs."""
    one, other = (side.geometry for side in orders)
    width = shared(one.conv, (one.input_nhwc[2], other.input_nhwc[2]))
    channels = min(one.cout, other.cout)
    return aligned(baseline[..., :channels], candidate[..., :channels], width)
