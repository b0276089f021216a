"""Between which values a partial sum may lie without the result noticing it.

Rounded addition is monotone, so the values of a node for which the result stays as it is are all
those between two floats. From the root down: for x, added to s, the range of the sum is taken back
through the rounding (to nearest, ties to even) and s is subtracted.
"""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.eft import two_sum
from convdiff.order.tree.tree import Tree


def blind_ranges(tree: Tree, values: Array, exact: Array) -> tuple[Array, Array]:
    """Return the least and the greatest float32 value of each inner node, (nodes, vectors) each.

    values: (leaves + nodes, vectors) float32, finite, far from subnormal: products and sums as
    rounded. exact: (leaves, vectors) float64 products. Rows of leaves are left as they are.
    """
    low = np.empty((tree.root + 1, 2, values.shape[1]), np.float32)
    low[tree.root] = values[tree.root], -values[tree.root]
    for node in range(tree.root, tree.leaves - 1, -1):
        one, other = tree.children[node - tree.leaves]
        for child, sibling in ((one, other), (other, one)):
            if child >= tree.leaves:
                unrounded = tree.fused[node - tree.leaves] == sibling
                term = exact[sibling] if unrounded else values[sibling].astype(np.float64)
                low[child] = _least(low[node], np.stack([term, -term]))
    return low[:, 0], -low[:, 1]


def _least(low: Array, term: Array) -> Array:
    """Return the least float32 x for which x + term, rounded to float32, is `low` or more."""
    edge = 0.5 * (low.astype(np.float64) + np.nextafter(low, np.float32(-np.inf)))
    odd = (low.view(np.int32) & 1).astype(bool)  # a tie goes to the even number, which is below
    bound, error = two_sum(edge, -term)
    near = bound.astype(np.float32)
    below = (near < bound) | ((near == bound) & ((error > 0) | (odd & (error == 0))))
    return np.where(below, np.nextafter(near, np.float32(np.inf)), near)
