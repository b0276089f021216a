"""How deeply the sums of an order are nested, and the parts that its last sums add."""

from __future__ import annotations

from functools import lru_cache

from convdiff.order.tree.tree import Tree


@lru_cache(maxsize=16)
def levels(tree: Tree) -> tuple[int, ...]:
    """Return the level of each leaf and node: how deeply sums of sums are nested in it.

    0 for a leaf and 1 for a chain of them. Where two sums of one level meet, the sum of them is of
    the next one, so that a total to which blocks of level 1 are added is of level 2 throughout.
    """
    level = [0] * tree.leaves
    for parts in tree.children:
        *_, second, first = sorted(level[c] for c in parts)
        level.append(first + 1 if first == second else max(first, 1))
    return tuple(level)


def parts_of(tree: Tree) -> tuple[int, ...]:
    """Return the chains and single terms that sums of sums add, in the order they are added."""
    level = levels(tree)
    parts, stack = [], [tree.root]
    while stack:
        node = stack.pop()
        if level[node] < 2:
            parts.append(node)
        else:
            stack.extend(reversed(tree.children[node - tree.leaves]))
    return tuple(parts)


def leaves_under(tree: Tree, node: int) -> list[int]:
    """Return the leaves under a node, in ascending order."""
    leaves, stack = [], [node]
    while stack:
        at = stack.pop()
        if at < tree.leaves:
            leaves.append(at)
        else:
            stack.extend(tree.children[at - tree.leaves])
    return sorted(leaves)
