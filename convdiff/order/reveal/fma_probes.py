"""Find which products enter their addition unrounded.

x = c for all inputs, w = c at tap i and -c at tap j, all other weights 0, where c * c lies a hair
(t = (c - 1)**2) above the float it rounds to. Where i and j meet, a rounded product of i gives
exactly 0; a fused multiply-add of tap i onto the sum that holds j's rounded product gives +t, and
of tap j onto i's gives -t. Sums of zeros before and after change nothing, so of a subtree any leaf
may stand for it.
"""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.mask_probes import Site, ask
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes


def mark_fused(kernel: Kernel, site: Site, tree: Tree) -> Tree:
    """Return the tree with its fused products marked; all joins in one message.

    A sum of sums cannot be fused, and neither can the bias, which is no product: only binary nodes
    with a tap among their operands are asked. At a node of two taps the answer also says which of
    them came second. Raises RefusedError (non-integer) on any other answer.
    """
    nodes, pairs = joins(tree)
    marks = [-1] * len(tree.children)
    if not nodes:
        return tree
    for k, mark in zip(nodes, _read(kernel, site, tree, nodes, pairs), strict=True):
        marks[k] = mark
    return Tree(tree.taps, tree.leaves, tree.children, tuple(marks))


def fusings(tree: Tree) -> list[Tree]:
    """Return a tree with its products fused as they were read, all of them, and none.

    Where operands or totals are narrow, a probe may show no fused product, though there are some.
    """
    nodes, pairs = joins(tree)
    marks = [-1] * len(tree.children)
    for k, (tap, other) in zip(nodes, pairs, strict=True):
        both = other in tree.children[k] and other < tree.taps
        marks[k] = max(tap, other) if both else tap
    every = Tree(tree.taps, tree.leaves, tree.children, tuple(marks))
    return list(dict.fromkeys([tree, every, tree.unfused()]))


def _read(
    kernel: Kernel, site: Site, tree: Tree, nodes: list[int], pairs: list[tuple[int, int]]
) -> list[int]:
    """Return the fused tap of each node, or -1; at a narrow scale also where it can't be read."""
    marks = []
    rows = np.zeros((len(pairs), 4), np.int64)
    rows[:, :2] = pairs
    answer = ask(kernel, site, "fused", rows)
    hair = probes.SCALES[kernel.geometry.dtype][2] ** 2
    for k, (i, j), left in zip(nodes, pairs, answer, strict=True):
        if left == hair:
            marks.append(i)
        elif left == -hair and j in tree.children[k] and j < tree.taps:
            marks.append(j)
        elif left == 0 or site.narrow:
            marks.append(-1)
        else:
            raise RefusedError(
                "non-integer",
                f"equal and opposite products at terms {i} and {j} left {left:g}, where rounding "
                f"leaves 0 and a fused multiply-add {hair:g}",
            )
    return marks


def starts_from_zero(kernel: Kernel, positions: Array | None = None) -> Array:
    """Return, for each (position, channel), whether a sum of -0 terms alone comes out as +0."""
    taps = np.zeros((1, kernel.geometry.cout, 4), np.int64)
    (answer,) = kernel.probe([Batch("zero", taps)], positions)
    plus: Array = ~np.signbit(answer[0])
    return plus


def joins(tree: Tree) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the binary nodes that may be fused, each with (its tap, a leaf of the other side)."""
    stand_in = list(range(tree.leaves))
    nodes, pairs = [], []
    for k, parts in enumerate(tree.children):
        # A tap stands for a subtree where there is one, though the bias would serve as well.
        stand_in.append(min(stand_in[c] for c in parts))
        if len(parts) == 2:
            tap = next((c for c in parts if c < tree.taps), -1)
            if tap >= 0:
                other = parts[0] if parts[1] == tap else parts[1]
                nodes.append(k)
                pairs.append((tap, stand_in[other]))
    return nodes, pairs
