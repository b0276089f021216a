"""A tree with its bias taken out, to tell whether two orders differ in nothing else."""

from __future__ import annotations

from convdiff.order.tree.tree import Tree


def without_bias(tree: Tree) -> Tree:
    """Return the order of the taps alone: the node where the bias joins gives way to its rest.

    A tap fused onto the bias alone becomes a rounded product, as it is at the start of any chain.
    """
    if not tree.has_bias:
        return tree
    bias = tree.taps
    name = list(range(tree.leaves))
    children: list[list[int]] = []
    fused: list[int] = []
    for parts, mark in zip(tree.children, tree.fused, strict=True):
        kept = [name[c] for c in parts if c != bias]
        if len(kept) == 1:
            name.append(kept[0])
            continue
        # A rest of two operands of a multi-operand addition stays unfused.
        children.append(kept)
        fused.append(name[mark] if mark >= 0 else -1)
        name.append(tree.taps + len(children) - 1)
    return Tree.build(tree.taps, tree.taps, children, fused)
