"""States of nodes: small whole numbers, of which those of two operands add up to their sum's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.tree.tree import Tree

#: How the first of two operands gets its state, by whether they are leaves: for each state of the
#: sum, from the least to the greatest, 256 equally likely states.
Splits = Mapping[tuple[bool, bool], Array]

KINDS = ((False, False), (False, True), (True, False), (True, True))


def from_root(tree: Tree, drawn: Array, root: Array, splits: Splits) -> Array:
    """Return (leaves + nodes, vectors) int8 states, each node's split as it was drawn.

    drawn: (nodes, vectors) int16, random bytes. root: (vectors,) int8, the root's states.
    """
    # A state times 256, plus a byte and an offset, is an index into a table of such states.
    tables = {kind: table.astype(np.int16) * 256 for kind, table in splits.items()}
    states = np.empty((tree.root + 1, len(root)), np.int16)
    states[tree.root] = root.astype(np.int16) * 256
    drawn = drawn + np.int16(len(tables[True, True]) // 512 * 256)
    rows = list(states)
    for (one, other), own, at in zip(
        tree.children[::-1], rows[: tree.leaves - 1 : -1], drawn[::-1], strict=True
    ):
        table = tables[one < tree.leaves, other < tree.leaves]
        np.subtract(own, table.take(own + at, out=rows[one], mode="clip"), out=rows[other])
    states >>= 8
    return states.astype(np.int8)
