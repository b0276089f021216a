"""Every channel answers for itself: a revealed order is confirmed at each element that may have it.

An order is read with its probes spread over the channels, which is fast but lets each channel
answer for only a part of the tree. Here every channel gets every reading that the tree needs. A
pair of terms, one from under each operand, for each node: the readings of all of them hold in no
other tree, because, from the leaves up, two sums that are known meet in one of just their size.
And a fused probe for each join. The answers are predicted from the tree.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.fma_probes import joins
from convdiff.order.reveal.mask_probes import Site, asked, bins
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes

#: Products up to which all readings are made: in few calls, and in any number of calls.
_FEW_CALLS, _PRODUCTS_IN_FEW_CALLS, _PRODUCTS_IN_ANY = 600, 1e11, 3e9

#: Calls of each kind where they are not: what is left of a small total, within these bounds.
_SAMPLE_CALLS, _TOTAL_CALLS = (1, 4), 40


def confirm(kernel: BudgetedKernel, site: Site, tree: Tree) -> bool:
    """Take the elements that answer otherwise than the tree out of the site's; tell if all asked.

    False means that each channel answered only a sample of the readings, spread over the tree and
    another one for each channel. Raises RefusedError where the site's own element answers
    otherwise.
    """
    geometry = kernel.geometry
    kinds = {site.kind("mask"): _masks(tree, site.scale(kernel))}
    if not site.narrow:  # there a fused product may not show, and proves nothing
        kinds["fused"] = _fused(geometry, tree)
    calls = sum(len(rows) for rows, _ in kinds.values())
    products = calls * geometry.positions * geometry.cout * geometry.taps
    few = calls <= _FEW_CALLS and products <= _PRODUCTS_IN_FEW_CALLS
    whole = (few or products <= _PRODUCTS_IN_ANY) and calls <= kernel.left
    sample = int(np.clip((_TOTAL_CALLS - kernel.calls) // 2, *_SAMPLE_CALLS))
    for kind, (rows, expected) in kinds.items():
        size = (len(rows), geometry.cout)
        index = _all_rows(*size) if whole else _sampled_rows(*size, sample)
        for chunk, answer in asked(kernel, kind, rows, index):
            site.agreeing &= (answer == expected[index[chunk]][:, None]).all(axis=0)
    if not site.agreeing[site.position, site.channel]:
        raise RefusedError(
            "non-ultrametric", "the element answers otherwise than the other channels did for it"
        )
    return whole and not site.narrow


def _all_rows(rows: int, cout: int) -> Array:
    """Return (calls, cout) indices of rows: each in all channels."""
    index: Array = np.broadcast_to(np.arange(rows)[:, None], (rows, cout))
    return index


def _sampled_rows(rows: int, cout: int, most: int) -> Array:
    """Return (calls, cout) indices of rows: evenly spread over the channels, further each call."""
    calls = np.arange(min(most, rows))[:, None]
    start = calls * rows // most + (2 * calls + 1) * rows // (2 * most * cout)
    index: Array = (start + np.arange(cout) * rows // cout) % max(rows, 1)
    return index


def _masks(tree: Tree, scale: str) -> tuple[Array, Array]:
    """Return mask rows and the answers that the tree gives to them.

    Each counts all terms: one that counts only some would also hold in other trees.
    """
    first = list(range(tree.leaves))
    pairs: list[tuple[int, int]] = []
    nodes: list[int] = []
    for k, parts in enumerate(tree.children):
        operands = [first[c] for c in parts]
        first.append(min(operands))
        met = list(combinations(operands, 2))
        pairs += met
        nodes += [k] * len(met)
    size = min(probes.COUNTABLE[scale], tree.leaves + 1)
    last = tree.leaves if size > tree.leaves else tree.leaves - 1
    within = np.tile([0, last], (len(pairs), 1))
    rows, owner = bins(np.array(pairs, np.int64).reshape(-1, 2), within, size)
    under = _under(tree)
    left = np.empty(len(rows))
    for at, (row, pair) in enumerate(zip(rows, owner, strict=True)):
        low, high = row[2], min(row[3], tree.leaves)
        below = under[nodes[pair]]
        left[at] = high - low - np.count_nonzero((below >= low) & (below < high))
    return rows, left * probes.SCALES[scale][0]


def _under(tree: Tree) -> list[Array]:
    """Return the leaves under each inner node: slices of one array."""
    start, stack = [0] * (tree.root + 1), [tree.root]
    order = np.zeros(tree.leaves, np.int64)
    while stack:
        node = stack.pop()
        if node < tree.leaves:
            order[start[node]] = node
            continue
        at = start[node]
        for child in tree.children[node - tree.leaves]:
            start[child] = at
            at += tree.sizes[child]
            stack.append(child)
    return [order[start[k] : start[k] + tree.sizes[k]] for k in range(tree.leaves, len(start))]


def _fused(geometry: Geometry, tree: Tree) -> tuple[Array, Array]:
    """Return fused rows and the answers that the tree gives to them."""
    nodes, pairs = joins(tree)
    rows = np.zeros((len(pairs), 4), np.int64)
    rows[:, :2] = np.array(pairs, np.int64).reshape(-1, 2)
    marks = np.array([tree.fused[k] for k in nodes], np.int64)
    signs = (marks == rows[:, 0]).astype(float) - ((marks == rows[:, 1]) & (marks >= 0))
    return rows, signs * probes.SCALES[geometry.dtype][2] ** 2
