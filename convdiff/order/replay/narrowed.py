"""Which sums of an order are narrowed on the way: before the bias, or where blocks are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import lru_cache

from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.tree.levels import levels
from convdiff.order.tree.tree import Tree


@lru_cache(maxsize=16)
def narrowed_nodes(tree: Tree, arithmetic: Arithmetic) -> Mapping[int, str]:
    """Return the nodes whose sums are narrowed once they are made, each with its format."""
    totals = set(_totals(tree, arithmetic))
    narrowed = dict.fromkeys(_blocks(tree, arithmetic, totals), arithmetic.block)
    if arithmetic.total:
        narrowed |= dict.fromkeys(totals, arithmetic.total)
    if arithmetic.before_bias and bias_is_last(tree):
        (products,) = set(tree.children[-1]) - {tree.taps}
        narrowed[products] = arithmetic.before_bias
    return {node: name for node, name in narrowed.items() if name}


def _blocks(tree: Tree, arithmetic: Arithmetic, totals: Set[int]) -> Iterator[int]:
    """Yield the sums of blocks, which totals add."""
    level = levels(tree)
    above = {node for node in totals if level[node] > arithmetic.level}
    for node in _inner(tree) if arithmetic.block else ():
        if node not in above and tree.parents[node] in above:
            yield node


def bias_is_last(tree: Tree) -> bool:
    """Return whether the bias is added to the sum of all products."""
    return tree.has_bias and tree.taps in tree.children[-1] and len(tree.children[-1]) == 2


def _inner(tree: Tree) -> range:
    return range(tree.leaves, len(tree.sizes))


def _totals(tree: Tree, arithmetic: Arithmetic) -> Iterator[int]:
    """Yield the sums that are kept as totals are; that of products and the bias is no total."""
    if arithmetic.level:
        yield from _above(tree, arithmetic.level)
    taps = _taps(tree)
    for node in _inner(tree) if arithmetic.every else ():
        whole = taps[node] % arithmetic.every == 0 or taps[node] == tree.taps
        if whole and not _adds_bias(tree, node):
            yield node


def _above(tree: Tree, lowest: int) -> Iterator[int]:
    """Yield the sums above a level, and the first block, which the total starts from.

    None where the whole sum is of that level: there is no total, as where a counterfactual takes
    the narrowing of blocks to the single chain of the other side.
    """
    level = levels(tree)
    if level[tree.root] <= lowest:
        return
    for node in _inner(tree):
        if level[node] > lowest and not _adds_bias(tree, node):
            yield node
    first = 0
    while level[tree.parents[first]] <= lowest:
        first = tree.parents[first]
    if first >= tree.leaves:
        yield first


def _adds_bias(tree: Tree, node: int) -> bool:
    return node == tree.root and bias_is_last(tree)


def _taps(tree: Tree) -> list[int]:
    """Return how many products lie under each leaf and node."""
    taps = [1] * tree.taps + [0] * (tree.leaves - tree.taps)
    for parts in tree.children:
        taps.append(sum(taps[c] for c in parts))
    return taps
