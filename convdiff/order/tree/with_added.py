"""A tree with one more term, which a step adds to a sum while it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from convdiff.order.tree.tree import Tree

FUSED = "first fused"


@lru_cache(maxsize=16)
def with_added(tree: Tree, joins: str) -> Tree | None:
    """Return the tree with a last leaf, which is added where `joins` says; None where it can't be.

    joins: a key of `convdiff.order.replay.step.JOINS` that is not empty.
    """
    node = _NODES[joins](tree)
    if node < 0:
        return None
    leaves, added = tree.leaves + 1, tree.leaves
    at = 0 if node < tree.leaves else node - tree.leaves + 1  # where the new node stands

    def number(part: int) -> int:
        if part < tree.leaves:
            return part
        return part + 1 + (part - tree.leaves >= at)

    children = [[number(part) for part in parts] for parts in tree.children[:at]]
    children.append([number(node), added])
    for parts in tree.children[at:]:
        children.append([leaves + at if part == node else number(part) for part in parts])
    pairs = zip(tree.fused, tree.children, strict=True)
    fused = [_fused(mark, parts, node, tree.taps) for mark, parts in pairs]
    fused.insert(at, node if joins == FUSED else -1)
    return Tree.build(tree.taps, leaves, children, fused)


def _fused(mark: int, parts: Sequence[int], node: int, taps: int) -> int:
    """Return which product is fused where `node` is no product any more: the other one, if any."""
    if mark != node or node not in parts:
        return mark
    (other,) = set(parts) - {node}
    return other if other < taps else -1


def _before_bias(tree: Tree) -> int:
    """Return the sum of all products, where the bias is added to it last."""
    if not (tree.has_bias and len(tree.children[-1]) == 2 and tree.taps in tree.children[-1]):
        return -1
    return sum(tree.children[-1]) - tree.taps


def _first_block(tree: Tree) -> int:
    """Return the sum of products that holds the first one, up to where it meets another sum."""
    node = 0
    while node != tree.root:
        parent = tree.parents[node]
        others = [part for part in tree.children[parent - tree.leaves] if part != node]
        if max(others) >= tree.leaves:
            return node if node >= tree.leaves else -1
        node = parent
    return -1


def _root(tree: Tree) -> int:
    return tree.root


def _first(tree: Tree) -> int:
    return 0


_NODES: Mapping[str, Callable[[Tree], int]] = {
    "sum": _root,
    "bias": _before_bias,
    "block": _first_block,
    FUSED: _first,
    "first": _first,
}
"""The node that what is added is added to."""
