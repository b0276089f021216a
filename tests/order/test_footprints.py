"""Orders of padded and transposed convolutions: those of each border and phase by themselves."""

from __future__ import annotations

import pytest
from synthetic import footprints_kernel, random_tree

from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.tree.tree import Tree
from convdiff.worker.ops.conv2d import Convolution

SAME = Convolution((3, 3), 4, 4, padding="same")
CONVOLUTIONS = {
    "same": ((1, 6, 7, 4), SAME),
    "same, even filter": ((1, 4, 9, 3), Convolution((2, 4), 3, 5, padding="same_lower")),
    "stride": ((2, 6, 8, 4), Convolution((3, 3), 4, 4, (2, 2), padding="same")),
    "dilation": ((1, 5, 9, 2), Convolution((3, 3), 2, 3, dilations=(1, 3), padding="same")),
    "groups": ((1, 5, 6, 6), Convolution((3, 3), 6, 4, groups=2, padding="same")),
    "depthwise": ((1, 5, 6, 3), Convolution((3, 3), 3, 3, groups=3, padding="same")),
    "pads larger than the filter": (
        (1, 3, 4, 2),
        Convolution((2, 3), 2, 3, padding=((3, 0), (4, 5))),
    ),
    "one side, and cut": ((1, 5, 8, 2), Convolution((2, 3), 2, 3, padding=((0, 1), (-1, 2)))),
    "causal": ((1, 1, 12, 3), Convolution((1, 4), 3, 4, padding="causal", op="conv1d")),
    "3-D": (
        (1, 9, 4, 2),
        Convolution(
            (3, 2, 3),
            2,
            3,
            (1,) * 3,
            (1,) * 3,
            op="conv3d",
            padding="same",
            depth=3,
            output_padding=(0,) * 3,
        ),
    ),
    "transposed": ((1, 3, 4, 3), Convolution((4, 4), 3, 4, (2, 2), op="conv2d_transpose")),
    "transposed, dilated": (
        (1, 3, 4, 4),
        Convolution(
            (3, 3),
            4,
            2,
            (2, 3),
            (1, 2),
            2,
            op="conv2d_transpose",
            padding=((1, 1),) * 2,
            output_padding=(1, 0),
        ),
    ),
    "transposed, between the inputs": (
        (1, 1, 4, 5),
        Convolution((1, 2), 5, 3, (1, 3), op="conv1d_transpose"),
    ),
}


def geometry_of(name: str, *, bias: bool = False, dtype: str = "float32") -> Geometry:
    shape, conv = CONVOLUTIONS[name]
    conv = conv._replace(dtype=dtype)
    return Geometry(shape, conv.filter_shape, bias, groups=conv.groups, dtype=dtype, asked=conv)


def found(fn, geometry: Geometry, budget: int = 20_000) -> Orders:  # type: ignore[no-untyped-def]
    return orders_of(CallableKernel(fn, geometry), random_data(geometry, 3), None, budget)


@pytest.mark.parametrize(
    ("bias", "dtype"), [(False, "float32"), (True, "float32"), (False, "float64")]
)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_border_and_phase_has_the_order_that_its_own_taps_are_added_in(
    name: str, bias: bool, dtype: str
) -> None:
    geometry = geometry_of(name, bias=bias, dtype=dtype)
    trees: dict[object, Tree] = {}

    def choose(part: Geometry) -> Tree:
        fuse = dtype == "float32"
        tree = random_tree(part.taps, bias, len(trees), many=False, fuse=fuse)
        return trees.setdefault(part.footprint, tree)

    orders = found(footprints_kernel(choose, geometry), geometry)
    assert orders.status == "proved", orders.refusals
    assert {one.footprint: one.order.tree for one in orders.orders} == trees
    assert len(orders.orders) == len(trees)
