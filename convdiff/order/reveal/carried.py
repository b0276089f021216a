"""Where a partial sum that is off by a unit or two changes the result, whatever more it is off by.

Rounded addition is monotone: where a sum that is greater by a unit makes its parent greater by one,
or by two, any that is greater still does so too, and so on up to the root. A tie that is rounded
may take a single unit back, or double it. All that is looked at for all sums at once, and then for
all the way up from each, twice as far each time.
"""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.tree.tree import Tree

#: How much a sum is off by, or more.
UNITS = (1, 2)


def carried(tree: Tree, values: Array, exact: Array) -> dict[int, Array]:
    """Return whether the result is another one for certain where an inner node is off.

    By sign, 1 or -1, of what it is off by: (units, nodes, vectors), for one and for two units, or
    more. values: (leaves + nodes, vectors) float32, products and sums as rounded; exact: (leaves,
    vectors) float64 products.
    """
    parents = np.array(tree.parents[tree.leaves : -1], np.int64)
    nodes = np.arange(tree.leaves, tree.root)
    sibling = np.array(tree.children, np.int64)[parents - tree.leaves].sum(axis=1) - nodes
    sums = values[sibling].astype(np.float64)
    unrounded = np.array(tree.fused, np.int64)[parents - tree.leaves] == sibling
    sums[unrounded] = exact[sibling[unrounded]]
    sums += values[nodes]
    usual, above = values[parents], np.append(parents - tree.leaves, len(parents))
    masks = {}
    for sign in (-1, 1):
        steps = _to_root(_steps(sums, usual, sign), above)[:, 0].copy()
        bits = np.unpackbits(steps.view(np.uint8), axis=-1, count=values.shape[1])
        masks[sign] = bits.view(bool)
    return masks


def _steps(sums: Array, usual: Array, sign: int) -> Array:
    """Return, in bits, whether a node that is off makes its parent be so by one or two, or more.

    sums: (nodes, vectors) float64, what the parents are before they are rounded to what is usual.
    (2, 2, nodes + 1, words) uint64, a bit a vector; the root, which is last, is its own parent.
    """
    count = -(-sums.shape[1] // 8)
    steps = np.zeros((2, 2, len(sums) + 1, -(-count // 8) * 8), np.uint8)
    for own, units in enumerate(UNITS):
        off = (sums + sign * units).astype(np.float32)
        off -= usual
        for parent, least in enumerate(UNITS):
            enough = off >= least if sign > 0 else off <= -least
            steps[own, parent, :-1, :count] = np.packbits(enough, axis=-1)
            steps[own, parent, -1] = 255 * (units >= least)
    return steps.view(np.uint64)


def _to_root(steps: Array, above: Array) -> Array:
    """Return the same for the root in place of the parent; above: each one's parent."""
    root = len(above) - 1
    while (above < root).any():
        steps = np.bitwise_or.reduce(steps[:, :, None] & steps.take(above, axis=2)[None], axis=1)
        above = above[above]
    return steps
