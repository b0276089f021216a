"""A summation order as a straight program for a stack of partial sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby

from convdiff.order.tree.tree import Tree

#: What a step does: push a term; add a term to the top; add a fused product to the top; add the
#: two at the top; add the top k.
PUSH, ADD_LEAF, FUSE_LEAF, JOIN, MANY = range(5)

Step = tuple[int, int, int]


@dataclass(frozen=True)
class Program:
    """Steps (operation, operand, node): operand is a leaf, or how many sums are added.

    node is the tree node whose value is on top of the stack afterwards. The larger operand is
    computed first, so that the stack is only logarithmically deep in the terms of binary nodes
    (Sethi and Ullman, J. ACM 17(4), 1970).
    """

    steps: tuple[Step, ...]

    @cached_property
    def runs(self) -> tuple[tuple[int, tuple[Step, ...]], ...]:
        """The steps in a row that do the same: (operation, steps)."""
        return tuple((kind, tuple(run)) for kind, run in groupby(self.steps, lambda step: step[0]))


@lru_cache(maxsize=16)
def compile_order(tree: Tree) -> Program:
    """Return the program of an order."""
    steps: list[Step] = []
    stack: list[tuple[int, bool]] = [(tree.root, False)]
    while stack:
        node, ready = stack.pop()
        if node < tree.leaves:
            steps.append((PUSH, node, node))
        elif ready:
            steps.append(_addition(tree, node))
        else:
            stack.append((node, True))
            stack += [(operand, False) for operand in _pending(tree, node)]
    return Program(tuple(steps))


def _addition(tree: Tree, node: int) -> Step:
    """Return the step that adds a node's operands, once those that are pending are summed."""
    parts = tree.children[node - tree.leaves]
    direct = _direct(tree, node)
    if direct >= 0:
        fused = tree.fused[node - tree.leaves] >= 0
        return FUSE_LEAF if fused else ADD_LEAF, direct, node
    return JOIN if len(parts) == 2 else MANY, len(parts), node


def _pending(tree: Tree, node: int) -> list[int]:
    """Return a node's operands that are summed before it, the first to be summed last."""
    parts = tree.children[node - tree.leaves]
    if len(parts) > 2:
        return list(reversed(parts))
    direct = _direct(tree, node)
    if direct >= 0:
        return [sum(parts) - direct]
    return sorted(parts, key=tree.sizes.__getitem__)


def _direct(tree: Tree, node: int) -> int:
    """Return the leaf that is added straight onto the other operand's sum, or -1."""
    parts = tree.children[node - tree.leaves]
    if len(parts) > 2:
        return -1
    mark = tree.fused[node - tree.leaves]
    if mark >= 0:
        return mark
    one, other = parts
    if other < tree.leaves:
        return other
    return one if one < tree.leaves else -1
