"""An order of an output in words, with the names of the op's own loops."""

from __future__ import annotations

from collections.abc import Callable

from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.tree.describe import describe
from convdiff.order.tree.tree import Tree

Say = Callable[[Tree, tuple[int, int, int, int]], str]


def in_words(orders: Orders, proved: ProvedOrder, say: Say = describe) -> str:
    """Return an order of an output in one sentence, without a full stop: `say` describes trees."""
    geometry = orders.geometry_of(proved)
    words = say(proved.order.tree, geometry.filter_hwio)
    if len(geometry.conv.kernel) > 2:  # its rows are those of depth and height
        words = words.replace("kh", "kd, kh")
    return f"{words}, {proved.words}" if proved.words else words
