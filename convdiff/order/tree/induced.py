"""The order that is left of some terms where the others are not there."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.order.tree.tree import Tree


def induced(tree: Tree, kept: Sequence[int]) -> Tree:
    """Return the order of some leaves, ascending, a tap among them; they are numbered anew.

    A sum of which one operand is left gives way to it. A tap fused onto what is gone becomes a
    rounded product, as it is at the start of any chain.
    """
    taps = sum(leaf < tree.taps for leaf in kept)
    name = [-1] * tree.leaves
    for number, leaf in enumerate(kept):
        name[leaf] = number
    children: list[list[int]] = []
    fused: list[int] = []
    for parts, mark in zip(tree.children, tree.fused, strict=True):
        left = [name[c] for c in parts if name[c] >= 0]
        if len(left) < 2:
            name.append(left[0] if left else -1)
            continue
        # A rest of two operands of a multi-operand addition stays unfused.
        children.append(left)
        fused.append(name[mark] if mark >= 0 else -1)
        name.append(len(kept) + len(children) - 1)
    return Tree.build(taps, len(kept), children, fused)
