"""Where the sums of two orders part: the first partial sum of the same terms that differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convdiff.order.orders import Orders
from convdiff.order.replay.replay import partial_sums
from convdiff.order.tree.levels import leaves_under
from convdiff.order.tree.tree import Tree


@dataclass(frozen=True)
class Divergence:
    """Two partial sums of the same terms, the first to differ.

    terms: the leaves both have added (the bias is the leaf after the taps). node_a, node_b: the
    nodes of the two trees. sum_a, sum_b: their values.
    """

    terms: tuple[int, ...]
    node_a: int
    node_b: int
    sum_a: float
    sum_b: float


def divergence(a: Orders, b: Orders, element_a: int, element_b: int) -> Divergence | None:
    """Return where the sums of two elements part, or None where all common sums are equal.

    element_a, element_b: flat indices into the (positions, cout) outputs, both with a proven
    order. Of the common sums that differ, one with the fewest terms is given. Raises ValueError
    where an element has no proven order.
    """
    if any(order.order.step.joins for side in (a, b) for order in side.orders):
        return None  # what is added is in the sums, but among no terms
    tree_a, sums_a = _sums(a, element_a)
    tree_b, sums_b = _sums(b, element_b)
    marks_b = {mark: node for node, mark in _marks(tree_b).items()}
    common = []
    for node, mark in _marks(tree_a).items():
        if mark in marks_b:
            common.append((tree_a.sizes[node], node, marks_b[mark]))
    for _, node_a, node_b in sorted(common):
        one, other = sums_a[node_a], sums_b[node_b]
        if one != other and not (np.isnan(one) and np.isnan(other)):
            return Divergence(tuple(leaves_under(tree_a, node_a)), node_a, node_b, one, other)
    return None


def _sums(side: Orders, element: int) -> tuple[Tree, dict[int, float]]:
    position, channel = divmod(element, side.geometry.cout)
    index = int(side.which()[position, channel])
    if index < 0:
        raise ValueError(f"element {element} has no proven order")
    order, side = side.orders[index].order, side.seen_by(index)
    return order.tree, partial_sums(order, side.geometry, side.data, position, channel)


def _marks(tree: Tree) -> dict[int, int]:
    """Return a number for each inner node that only nodes over the same leaves share.

    The sum of random 64-bit numbers, one a leaf: two sets of leaves agree by accident with a
    probability of 2**-64.
    """
    random = np.random.default_rng(tree.leaves)
    mark = random.integers(0, 2**63, tree.leaves, dtype=np.int64).tolist()
    for parts in tree.children:
        mark.append(sum(mark[c] for c in parts) % 2**64)
    return {node: mark[node] for node in range(tree.leaves, len(mark))}
