"""What one order has that another has not, each of which can be changed alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from convdiff.order.replay.replay import Order
from convdiff.order.tree.tree import Tree
from convdiff.order.tree.without_bias import without_bias

#: What orders may differ in.
PARTS = ("order", "fma", "bias position", "precision", "accumulator", "zero sign")


def differences(a: Order, b: Order) -> tuple[str, ...]:
    """Return the parts in which two orders differ, in the order of PARTS.

    Where one side adds exact products, fused or not is one and the same there, so that fusing is
    no part of its own. A bias that joins elsewhere in the same tree of products is one; in another
    tree of products its place is part of the order.
    """
    found = set()
    one, other = a.arithmetic, b.arithmetic
    if a.tree.unfused() != b.tree.unfused():
        same_products = a.tree.has_bias and _products(a.tree) == _products(b.tree)
        found.add("bias position" if same_products else "order")
    if not (one.wide or other.wide) and _fused(a.tree, b.tree):
        found.add("fma")
    if one.inputs != other.inputs:
        found.add("precision")
    if (one.accumulator, one.early, one.guard) != (other.accumulator, other.early, other.guard):
        found.add("accumulator")
    if one.zero_start != other.zero_start:
        found.add("zero sign")
    return tuple(part for part in PARTS if part in found)


def changed(a: Order, b: Order, parts: Iterable[str]) -> Order:
    """Return order A with some of its parts taken from B."""
    names = set(parts)
    one, other = a.arithmetic, b.arithmetic
    if "precision" in names:
        one = replace(one, inputs=other.inputs)
    if "accumulator" in names:
        one = replace(one, accumulator=other.accumulator, early=other.early, guard=other.guard)
    if "zero sign" in names:
        one = replace(one, zero_start=other.zero_start)
    shape = b.tree if names & {"order", "bias position"} else a.tree
    fused = (b.tree if "fma" in names or a.arithmetic.wide else a.tree).fused_taps()
    tree = shape.with_fused(fused)
    if "bias position" in names and not _fused(a.tree, b.tree):
        tree = b.tree
    return Order(tree.unfused() if one.wide else tree, one)


def _fused(a: Tree, b: Tree) -> bool:
    """Whether other products are fused, not just one that meets the bias where that has moved."""
    moved = a.unfused() != b.unfused() and without_bias(a) == without_bias(b)
    return not moved and a.fused_taps() != b.fused_taps()


def _products(tree: Tree) -> Tree:
    return without_bias(tree).unfused()
