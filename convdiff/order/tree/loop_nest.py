"""Loop nests: a summation order said briefly, as chains, pairwise trees and repetitions.

These few kinds of items can say every tree, because irregular parts are simply listed; where a part
repeats itself with its taps shifted, a loop says it once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from convdiff.order.tree.tree import Tree


@dataclass(frozen=True)
class Leaf:
    """A term; `fused` when its product enters its addition unrounded. The bias has index -1."""

    index: int
    fused: bool = False


@dataclass(frozen=True)
class Chain:
    """Items added left to right, one after the other; with `fused`, all taps but the first are."""

    items: tuple[Item, ...]
    fused: bool = False


@dataclass(frozen=True)
class Pairs:
    """2**k items added pairwise: neighbours first, or with `halves` item i and item i + n/2."""

    items: tuple[Item, ...]
    halves: bool = False


@dataclass(frozen=True)
class Many:
    """Items added in one multi-operand addition; `onto`, in a chain: together with its sum."""

    items: tuple[Item, ...]
    onto: bool = False


@dataclass(frozen=True)
class Loop:
    """The items of a body, `count` times, with `step` added to all their taps each time."""

    body: tuple[Item, ...]
    count: int
    step: int


Item: TypeAlias = Leaf | Chain | Pairs | Many | Loop

BIAS = -1


def tree_of(item: Item) -> Tree:
    """Return the tree that a nest says. Raises ValueError where it is none.

    Taps are counted from the largest index; the bias is there if it is named.
    """
    growing = _Growing([], [], [])
    root = growing.grow(item, 0)
    terms = sorted(growing.terms)
    if len(set(terms)) < len(terms):
        raise ValueError("a term is named twice")
    taps = terms[-1] + 1
    leaves = taps + (BIAS in terms)
    if len(terms) != leaves or taps < 1:
        raise ValueError(f"{taps} taps need {leaves} terms, {len(terms)} are named")

    def number(ref: int) -> int:
        if ref == BIAS:
            return taps
        return ref if ref >= 0 else leaves - 2 - ref

    children = [[number(c) for c in parts] for parts in growing.children]
    if children and number(root) != leaves + len(children) - 1:
        raise ValueError("the last sum is not the whole one")
    return Tree.build(taps, leaves, children, growing.fused)


@dataclass(eq=False)
class _Growing:
    """Nodes as they are made: node k is -2 - k, so that tap indices and the bias (-1) stay free."""

    children: list[list[int]]
    fused: list[int]
    terms: list[int]

    def node(self, parts: list[int], fused: int = -1) -> int:
        self.children.append(parts)
        self.fused.append(fused)
        return -1 - len(self.children)

    def grow(self, item: Item, shift: int) -> int:
        """Return the node of an item whose taps are shifted."""
        if isinstance(item, Leaf):
            index = BIAS if item.index == BIAS else item.index + shift
            self.terms.append(index)
            return index
        if isinstance(item, Loop):
            raise ValueError("a repetition stands inside a chain or another sum")
        steps = unrolled(item.items, shift)
        if isinstance(item, Chain):
            return self._chain(steps, item.fused)
        nodes = [self.grow(part, by) for part, by in steps]
        if isinstance(item, Many):
            return self.node(nodes)
        return self._pairwise(nodes, halves=item.halves)

    def _pairwise(self, nodes: list[int], *, halves: bool) -> int:
        if len(nodes) & (len(nodes) - 1):
            raise ValueError(f"{len(nodes)} items cannot be added pairwise in full rounds")
        while len(nodes) > 1:
            half = len(nodes) // 2
            pairs = zip(nodes[::2], nodes[1::2], strict=True)
            if halves:
                pairs = zip(nodes[:half], nodes[half:], strict=True)
            nodes = [self.node(list(pair)) for pair in pairs]
        return nodes[0]

    def _chain(self, steps: list[tuple[Item, int]], fused: bool) -> int:
        total = self.grow(*steps[0])
        for item, shift in steps[1:]:
            if isinstance(item, Many) and item.onto:
                parts = [self.grow(part, by) for part, by in unrolled(item.items, shift)]
                total = self.node([total, *parts])
                continue
            term = self.grow(item, shift)
            tap = isinstance(item, Leaf) and item.index != BIAS
            marked = tap and (fused or (isinstance(item, Leaf) and item.fused))
            total = self.node([total, term], term if marked else -1)
        return total


def terms_of(item: Item) -> int:
    """Return how many terms a nest names, without writing it out."""
    return _counted(item, lambda leaf: True)


def taps_in(item: Item) -> int:
    """Return how many terms other than the bias a nest names."""
    return _counted(item, lambda leaf: leaf.index != BIAS)


def _counted(item: Item, counts: Callable[[Leaf], bool]) -> int:
    if isinstance(item, Leaf):
        return int(counts(item))
    leaves = sum(_counted(part, counts) for part in parts_of(item))
    return item.count * leaves if isinstance(item, Loop) else leaves


def parts_of(item: Chain | Pairs | Many | Loop) -> tuple[Item, ...]:
    """Return the items that an item is made of; of a loop, those of one turn."""
    return item.body if isinstance(item, Loop) else item.items


def first_tap(item: Item) -> int:
    """Return the first tap that an item names."""
    return item.index if isinstance(item, Leaf) else first_tap(parts_of(item)[0])


def is_bias(item: Item) -> bool:
    """Return whether an item is the bias."""
    return isinstance(item, Leaf) and item.index == BIAS


def holds_bias(item: Item) -> bool:
    """Return whether an item is the bias, or has it inside."""
    if isinstance(item, Leaf):
        return item.index == BIAS
    return any(holds_bias(part) for part in parts_of(item))


def flat(items: tuple[Item, ...]) -> list[Item]:
    """Return the items, all loops written out, as they stand in them."""
    return [item for item, _ in unrolled(items)]


def unrolled(items: tuple[Item, ...], shift: int = 0) -> list[tuple[Item, int]]:
    """Return the items with their shifts, all loops written out."""
    shifted: list[tuple[Item, int]] = []
    for item in items:
        if isinstance(item, Loop):
            for k in range(item.count):
                shifted += unrolled(item.body, shift + k * item.step)
        else:
            shifted.append((item, shift))
    return shifted
