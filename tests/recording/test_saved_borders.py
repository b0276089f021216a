"""Orders of borders and phases in a recording: each is proved again where its taps are seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import tree_kernel

from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.tree.notation import parse
from convdiff.recording.model import RecordingError, SavedOrders
from convdiff.recording.saved import restored, saved_orders
from convdiff.worker.ops.convolution import Convolution

PADDED = Convolution((2, 3), 2, 3, padding=((3, 0), (1, 5)))
PHASES = Convolution((2, 3), 2, 3, (1, 2), op="conv2d_transpose")


def explained(conv: Convolution) -> Orders:
    geometry = Geometry((2, 3, 4, 2), conv.filter_shape, True, asked=conv)
    kernel = CallableKernel(tree_kernel(parse("[0..11 b]"), geometry), geometry)
    return orders_of(kernel, random_data(geometry, 3))


def again(orders: Orders, saved: SavedOrders) -> Orders:
    return restored(saved, orders.geometry, orders.data, orders.output, "a.json")


@pytest.mark.parametrize("conv", [PADDED, PHASES], ids=["padded", "transposed"])
def test_all_orders_are_proved_again(conv: Convolution) -> None:
    orders = explained(conv)
    read = again(orders, saved_orders(orders))
    assert read.status == orders.status == "proved"
    assert (read.which() == orders.which()).all()
    assert read.replayed == orders.replayed
    assert read.alone == orders.alone
    assert [one.order for one in read.orders] == [one.order for one in orders.orders]
    assert [one.footprint for one in read.orders] == [one.footprint for one in orders.orders]


def test_an_order_is_not_proved_where_other_taps_are_seen() -> None:
    orders = explained(PADDED)
    saved = saved_orders(orders)
    # All are said to have the order of those inside, which is what the replay is held to.
    claimed = replace(saved, orders=saved.orders[:1], which=np.zeros_like(saved.which))
    read = again(orders, claimed)
    assert [one.count for one in read.orders] == [orders.orders[0].count]
    assert read.status == "partial"


def test_an_order_of_other_terms_than_are_seen_is_refused() -> None:
    orders = explained(PADDED)
    saved = saved_orders(orders)
    first, second, *rest = saved.orders
    swapped = replace(saved, orders=(second, first, *rest))
    with pytest.raises(RecordingError, match="terms, expected"):
        again(orders, swapped)
