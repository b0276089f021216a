"""A summation order as a straight program for a stack of partial sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from convdiff.order.tree.tree import Tree

#: What a step does: push a term; add a term to the top; add a fused product to the top; add the
#: two at the top; add the top k.
PUSH, ADD_LEAF, FUSE_LEAF, JOIN, MANY = range(5)


@dataclass(frozen=True)
class Program:
    """Steps (operation, operand, node): operand is a leaf, or how many sums are added.

    node is the tree node whose value is on top of the stack afterwards. The larger operand is
    computed first, so that the stack is only logarithmically deep in the terms of binary nodes
    (Sethi and Ullman, J. ACM 17(4), 1970).
    """

    steps: tuple[tuple[int, int, int], ...]


@lru_cache(maxsize=16)
def compiled(tree: Tree) -> Program:
    """Return the program of an order."""
    if not tree.children:
        return Program(((PUSH, 0, 0),))
    steps: list[tuple[int, int, int]] = []
    sizes, leaves = tree.sizes, tree.leaves
    stack: list[tuple[int, bool]] = [(tree.root, False)]
    while stack:
        node, ready = stack.pop()
        if node < leaves:
            steps.append((PUSH, node, node))
            continue
        parts = tree.children[node - leaves]
        direct = _direct(tree, node)
        if ready:
            if direct >= 0:
                operation = FUSE_LEAF if tree.fused[node - leaves] >= 0 else ADD_LEAF
                steps.append((operation, direct, node))
            else:
                steps.append((JOIN if len(parts) == 2 else MANY, len(parts), node))
            continue
        stack.append((node, True))
        pending = [c for c in parts if c != direct]
        if len(parts) == 2:
            pending.sort(key=sizes.__getitem__)
        else:
            pending.reverse()
        stack.extend((c, False) for c in pending)
    return Program(tuple(steps))


def _direct(tree: Tree, node: int) -> int:
    """Return the leaf that is added straight onto the other operand's sum, or -1."""
    parts = tree.children[node - tree.leaves]
    if len(parts) > 2:
        return -1
    mark = tree.fused[node - tree.leaves]
    if mark >= 0:
        return mark
    return next((c for c in reversed(parts) if c < tree.leaves), -1)
