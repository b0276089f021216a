"""Reveal the tree of one output element, breadth first, all groups of a level in one message.

Of a set of leaves that form a subtree, one leaf is the pivot; the readings with all others group
these by where they join its path to the root. A group is a subtree in its turn. Where a group's own
readings reach beyond it, its members join the path at one multi-operand addition.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.reveal.kernel import Kernel
from convdiff.order.reveal.mask_probes import Site, masked
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.tree.tree import Tree


@dataclass(eq=False)
class _Group:
    """Leaves that hang below one addition: its operand, or several operands of it.

    limit: leaves under that addition (0 at the top); span: the first and the last of them.
    stuck: how often splitting has left most leaves in one group, which decides the next pivot.
    """

    members: Array
    slot: list[int]
    limit: int
    span: tuple[int, int]
    stuck: int = 0


@dataclass(eq=False)
class _Sketch:
    """The tree while it grows: nodes are numbered -1, -2 ... until all are known."""

    nodes: list[list[int]] = field(default_factory=list)

    def add(self, first: int) -> int:
        self.nodes.append([first])
        return -len(self.nodes)


def reveal_tree(kernel: Kernel, site: Site) -> Tree:
    """Return the order in which the site's terms are added, all products taken as rounded.

    Raises RefusedError where the readings are not those of a tree.
    """
    geometry = kernel.geometry
    sketch, top = _Sketch(), list[int]()
    level = [_Group(np.arange(geometry.leaves), top, 0, (0, geometry.leaves - 1))]
    while level:
        pivots = [_pivot(group) for group in level]
        pairs, within = _pairs(level, pivots)
        sizes = masked(kernel, site, pairs, within) if len(pairs) else np.zeros(0, np.int64)
        below: list[_Group] = []
        start = 0
        for group, pivot in zip(level, pivots, strict=True):
            stop = start + len(group.members) - 1
            below += _split(sketch, group, pivot, pairs[start:stop, 1], sizes[start:stop])
            start = stop
        level = below
    return _tree(geometry.taps, geometry.leaves, sketch, top)


def _pivot(group: _Group) -> int:
    """Return the leaf to measure from.

    The smallest is best for most kernels. Where it got nowhere (a chain added backwards costs a
    level a leaf), the largest is tried, then any: a random pivot halves a chain.
    """
    if group.stuck < 2:
        return int(group.members[-1 if group.stuck else 0])
    scattered = (int(group.members[0]) * 2654435761 + group.stuck * 40503) >> 4
    return int(group.members[scattered % len(group.members)])


def _pairs(level: list[_Group], pivots: list[int]) -> tuple[Array, Array]:
    """Return all (pivot, other) pairs of a level, and the range of leaves that each must count."""
    pairs: list[Array] = [np.zeros((0, 2), np.int64)]
    within: list[Array] = [np.zeros((0, 2), np.int64)]
    for group, pivot in zip(level, pivots, strict=True):
        others = group.members[group.members != pivot]
        pairs.append(np.column_stack([np.full(len(others), pivot), others]))
        within.append(np.tile(group.span, (len(others), 1)))
    return np.concatenate(pairs), np.concatenate(within)


def _split(sketch: _Sketch, group: _Group, pivot: int, others: Array, sizes: Array) -> list[_Group]:
    """Grow the pivot's path from its readings; return the groups that hang off it."""
    if len(sizes) > 1 and (sizes == 2).all():
        raise RefusedError("exact", f"term {pivot} loses nothing in whichever sum it is added to")
    beyond = (sizes == group.limit) & (group.limit > 0)
    groups, top, below = _path(sketch, group, pivot, others[~beyond], sizes[~beyond])
    group.slot.append(top)
    if beyond.any():
        groups.append(replace(group, members=others[beyond]))
    elif group.limit == 0 and below != len(group.members):
        raise _not_a_tree(pivot, pivot, len(group.members), below)
    larger = []
    for hanging in groups:
        if len(hanging.members) == 1:
            hanging.slot.append(int(hanging.members[0]))
        else:
            larger.append(hanging)
    return larger


def _path(
    sketch: _Sketch, group: _Group, pivot: int, others: Array, sizes: Array
) -> tuple[list[_Group], int, int]:
    """Add a node for each size that was read; return what hangs off them, the last, its leaves."""
    groups = []
    node, below, span = pivot, 1, (pivot, pivot)
    for size in np.unique(sizes):
        joined = others[sizes == size]
        below += len(joined)
        span = (min(span[0], int(joined[0])), max(span[1], int(joined[-1])))
        if below != size:
            raise _not_a_tree(pivot, int(joined[0]), int(size), below)
        node = sketch.add(node)
        most = 2 * len(joined) > len(group.members) > 8
        stuck = group.stuck + 1 if most else 0
        groups.append(_Group(joined, sketch.nodes[-1 - node], int(size), span, stuck))
    return groups, node, below


def _not_a_tree(i: int, j: int, size: int, counted: int) -> RefusedError:
    return RefusedError(
        "non-ultrametric",
        f"terms {i} and {j} meet in a sum of {size} terms by one reading, "
        f"of {counted} by the others: no tree has both",
    )


def _tree(taps: int, leaves: int, sketch: _Sketch, top: list[int]) -> Tree:
    """Return the sketched nodes numbered, children before parents."""
    if len(top) != 1:
        raise RefusedError("non-ultrametric", "the terms meet in more than one sum")
    order = []
    stack = [top[0]]
    while stack:
        node = stack.pop()
        if node < 0:
            order.append(node)
            stack.extend(sketch.nodes[-1 - node])
    number = {node: leaves + k for k, node in enumerate(reversed(order))}
    children = [[number.get(c, c) for c in sketch.nodes[-1 - node]] for node in reversed(order)]
    return Tree.build(taps, leaves, children)
