"""A summation order summed up in a few lines, where its whole description would fill a page."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.case.words import plural
from convdiff.order.tree.describe import bias_position, describe
from convdiff.order.tree.find_loops import nest_of
from convdiff.order.tree.levels import leaves_under, levels, parts_of
from convdiff.order.tree.tree import Tree

LONGEST = 240
"""Characters of a description that is told as it is: four lines of a report's column."""
NAMED = 8
"""Parts whose first taps are named."""


def summed_up(tree: Tree, filter_hwio: tuple[int, int, int, int]) -> str:
    """Return an order in one sentence of at most LONGEST characters, without a full stop.

    That of `describe` where it is no longer; else how many lanes or blocks there are, how long and
    how they are added. filter_hwio: (kh, kw, cin/groups, cout).
    """
    whole = describe(tree, filter_hwio)
    return whole if len(whole) <= LONGEST else _summary(tree)


def _summary(tree: Tree) -> str:
    parts = [leaves_under(tree, node) for node in parts_of(tree)]
    chains = [part for part in parts if len(part) > 1]
    noun, sizes = _noun(chains), [sum(leaf < tree.taps for leaf in chain) for chain in chains]
    single = sum(part[0] < tree.taps for part in parts if len(part) == 1)
    singles = f", and {plural(single, 'single tap', '')}" if single else ""
    order = ", ".join(str(chain[0]) for chain in chains[:NAMED])
    more = ", …" if len(chains) > NAMED else ""
    return (
        f"{len(chains)} {noun}s of {_sizes(sizes)}{singles}, each {noun} {_chained(tree)}, "
        f"{_added(tree)} in the order {order}{more}{bias_position(nest_of(tree))}"
    )


def _noun(chains: Sequence[Sequence[int]]) -> str:
    """Return what chains are called: blocks where each holds neighbours alone."""
    neighbours = (chain[-1] - chain[0] == len(chain) - 1 for chain in chains)
    return "block" if all(neighbours) else "lane"


def _sizes(taps: Sequence[int]) -> str:
    low, high = min(taps), max(taps)
    if low == high:
        return f"{low} taps"
    sizes = f"{low} or {high}" if set(taps) == {low, high} else f"{low} to {high}"
    return f"{sizes} taps, uneven"


def _chained(tree: Tree) -> str:
    """Say whether the products of the chains are rounded."""
    fused = len(tree.fused_taps())
    if not fused:
        return "a chain of rounded products"
    return f"a chain, {fused} of {tree.taps} products fused"


def _added(tree: Tree) -> str:
    """Say how the parts are added: each to the total, in pairs, or neither throughout."""
    level = levels(tree)
    joined = []  # the levels of the sums that are added
    for parts in tree.children:
        of_parts = {level[part] for part in parts}
        if min(of_parts) > 0:
            joined.append(of_parts)
    if all(min(some) == 1 for some in joined) and max(level) == 2:
        return "added left to right"
    in_pairs = all(len(some) == 1 for some in joined)
    return "added pairwise" if in_pairs else "added pairwise, unevenly,"
