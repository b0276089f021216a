"""Trees that differ from a given one in a single place, and all trees of a few terms."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial

from convdiff.order.tree.tree import Tree

Nest = int | tuple["Nest", "Nest"]
"""A leaf, or two nests that are added."""


Change = Callable[[], Tree]
"""Makes a tree that differs in one place; costly where there are many terms."""


def mutants(tree: Tree) -> Iterator[Tree]:
    """Yield the tree with every single change of `changes`."""
    made = (change() for change in changes(tree))
    yield from (other for other in made if other != tree)


def some_mutants(tree: Tree, count: int, seed: int) -> Iterator[Tree]:
    """Yield some of them."""
    every = list(changes(tree))
    made = (change() for change in random.Random(seed).sample(every, count))
    yield from (other for other in made if other != tree)


def changes(tree: Tree) -> Iterator[Change]:
    """Yield all ways to rotate a node, exchange leaves, flip a flag and move the bias."""
    for changed in (rotated, exchanged, flipped, bias_moved):
        yield from changed(tree)


def rotated(tree: Tree) -> Iterator[Change]:
    """Yield ((a, c), b) and (a, (b, c)) for every ((a, b), c), whatever a, b and c are."""
    for node in range(tree.leaves, tree.root):
        parent = tree.parents[node]
        (sibling,) = set(operands(tree, parent)) - {node}
        for kept, moved in (operands(tree, node), operands(tree, node)[::-1]):
            others = {node: (kept, sibling), parent: (node, moved)}
            yield partial(renumbered, tree, others, tree.root)


def exchanged(tree: Tree) -> Iterator[Change]:
    """Yield the tree with each two leaves exchanged that follow each other."""
    for leaf in range(tree.leaves - 1):
        swap = {leaf: leaf + 1, leaf + 1: leaf}
        others: dict[int, tuple[int, ...]] = {}
        for node in {tree.parents[leaf], tree.parents[leaf + 1]}:
            others[node] = tuple(swap.get(part, part) for part in operands(tree, node))
        yield partial(renumbered, tree, others, tree.root)


def flipped(tree: Tree) -> Iterator[Change]:
    """Yield the tree with each node fused otherwise."""
    for k, parts in enumerate(tree.children):
        for mark in (-1, *(part for part in parts if part < tree.taps)):
            if mark != tree.fused[k]:
                fused = (*tree.fused[:k], mark, *tree.fused[k + 1 :])
                yield partial(Tree, tree.taps, tree.leaves, tree.children, fused)


def bias_moved(tree: Tree) -> Iterator[Change]:
    """Yield the tree with its bias added to every other product or sum."""
    if tree.has_bias and tree.leaves > 2:
        home = tree.parents[tree.taps]
        (sibling,) = set(operands(tree, home)) - {tree.taps}
        for target in set(range(tree.root + 1)) - {tree.taps, home, sibling}:
            yield partial(_with_bias_at, tree, home, sibling, target)


def _with_bias_at(tree: Tree, home: int, sibling: int, target: int) -> Tree:
    others = {home: (tree.taps, target)}
    for node in range(tree.leaves, tree.root + 1):
        if node != home:
            parts = [sibling if part == home else part for part in operands(tree, node)]
            others[node] = tuple(home if part == target else part for part in parts)
    top = sibling if home == tree.root else tree.root
    return renumbered(tree, others, home if top == target else top)


def operands(tree: Tree, node: int) -> tuple[int, ...]:
    return tree.children[node - tree.leaves]


def renumbered(tree: Tree, others: Mapping[int, tuple[int, ...]], root: int) -> Tree:
    """Return the tree with other operands at some nodes; the same products are fused, if it can."""
    order: list[int] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node >= tree.leaves:
            order.append(node)
            stack.extend(others.get(node) or operands(tree, node))
    order.reverse()
    number = {node: tree.leaves + k for k, node in enumerate(order)}
    children = [
        [number.get(part, part) for part in others.get(node) or operands(tree, node)]
        for node in order
    ]
    return Tree.build(tree.taps, tree.leaves, children).with_fused(tree.fused_taps())


def all_orders(taps: int, bias: bool) -> list[Tree]:
    """Return every order of a few terms: all trees, with all ways to fuse their products."""
    leaves = taps + bias
    return [
        order
        for nest in nests(tuple(range(leaves)))
        for order in fusings(tree_of(nest, taps, leaves))
    ]


@cache
def nests(members: Sequence[int]) -> list[Nest]:
    """Return all nests of these leaves."""
    if len(members) == 1:
        return [members[0]]
    made: list[Nest] = []
    for bits in range(2 ** (len(members) - 1) - 1):
        one, other = [members[0]], []
        for k, member in enumerate(members[1:]):
            (one if bits >> k & 1 else other).append(member)
        made += [(a, b) for a in nests(tuple(one)) for b in nests(tuple(other))]
    return made


def tree_of(nest: Nest, taps: int, leaves: int) -> Tree:
    children: list[list[int]] = []

    def node(part: Nest) -> int:
        if isinstance(part, int):
            return part
        children.append([node(part[0]), node(part[1])])
        return leaves + len(children) - 1

    node(nest)
    return Tree.build(taps, leaves, children)


def fusings(tree: Tree) -> list[Tree]:
    """Return the tree with each choice of fused products."""
    orders = [tree]
    for k in range(len(tree.children)):
        for order in list(orders):
            orders += [
                other
                for other in (flip() for flip in flipped(order))
                if order.fused[k] < 0 <= other.fused[k]
            ]
    return list(dict.fromkeys(orders))
