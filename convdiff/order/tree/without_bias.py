"""A tree with its bias taken out, to tell whether two orders differ in nothing else."""

from __future__ import annotations

from convdiff.order.tree.induced import induced
from convdiff.order.tree.tree import Tree


def without_bias(tree: Tree) -> Tree:
    """Return the order of the taps alone: the node where the bias joins gives way to its rest."""
    return induced(tree, range(tree.taps)) if tree.has_bias else tree
