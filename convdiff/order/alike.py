"""Orders that are told together: of other outputs, by the same words, or what is left of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convdiff.order.geometry import Geometry
from convdiff.order.proved import ProvedOrder
from convdiff.order.tree.induced import induced


def alike(geometry: Geometry, orders: Sequence[ProvedOrder]) -> tuple[tuple[int, ...], ...]:
    """Return the places of orders in groups, the one that is told of each first.

    Those of a group add the same tree over as many rows, columns and channels; or the same one but
    for the taps that fall on padding. geometry: of the whole output.
    """
    groups: list[list[int]] = []
    for number, one in enumerate(orders):
        for group in groups:
            if any(_is_alike(geometry, orders[k], one) for k in group):
                group.append(number)
                break
        else:
            groups.append([number])
    return tuple(map(tuple, groups))


def _is_alike(geometry: Geometry, one: ProvedOrder, other: ProvedOrder) -> bool:
    if one.footprint == other.footprint or one.undecided != other.undecided:
        return False
    start = one.order.arithmetic.zero_start  # of a sum of -0 alone, and that of padding's choosing
    if one.order.arithmetic != replace(other.order.arithmetic, zero_start=start):
        return False
    more, fewer = geometry.seeing(one.footprint), geometry.seeing(other.footprint)
    if more.filter_hwio == fewer.filter_hwio:
        return one.order.tree == other.order.tree
    holds = one.footprint is None or (other.footprint and one.footprint.holds(other.footprint))
    return bool(holds) and induced(one.order.tree, more.leaves_of(fewer)) == other.order.tree
