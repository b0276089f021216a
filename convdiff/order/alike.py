"""Orders that are told together: of other outputs, by the same words, or what is left of one."""

from __future__ import annotations

from dataclasses import replace

from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.tree.induced import induced

Group = tuple[int, ...]
"""Places of orders in an explanation."""


def alike(orders: Orders) -> tuple[Group, ...]:
    """Return the orders of an output in groups, the one that is told of each first.

    Those of a group add the same tree over as many rows, columns and channels; or the same one but
    for the taps that fall on padding.
    """
    groups: list[list[int]] = []
    for number, one in enumerate(orders.orders):
        for group in groups:
            if any(_is_alike(orders, orders.orders[k], one) for k in group):
                group.append(number)
                break
        else:
            groups.append([number])
    return tuple(map(tuple, groups))


def _is_alike(orders: Orders, one: ProvedOrder, other: ProvedOrder) -> bool:
    if one.footprint == other.footprint or one.undecided != other.undecided:
        return False
    start = one.order.arithmetic.zero_start  # of a sum of -0 alone, and that of padding's choosing
    if one.order.arithmetic != replace(other.order.arithmetic, zero_start=start):
        return False
    more, fewer = orders.geometry_of(one), orders.geometry_of(other)
    if more.filter_hwio == fewer.filter_hwio:
        return one.order.tree == other.order.tree
    holds = one.footprint is None or (other.footprint and one.footprint.holds(other.footprint))
    return bool(holds) and induced(one.order.tree, more.leaves_of(fewer)) == other.order.tree
