"""A summation order in words, as a loop nest with its taps named (kh, kw, cin)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby

from convdiff.case.words import plural
from convdiff.order.tree.find_loops import nest_of
from convdiff.order.tree.loop_nest import (
    BIAS,
    Chain,
    Item,
    Leaf,
    Many,
    Pairs,
    first_tap,
    flat,
    holds_bias,
    is_bias,
    taps_in,
    unrolled,
)
from convdiff.order.tree.tap_loops import tap_order
from convdiff.order.tree.tree import Tree


def describe(tree: Tree, filter_hwio: tuple[int, int, int, int]) -> str:
    """Return an order in one sentence, without a full stop.

    filter_hwio: (kh, kw, cin/groups, cout), for the names of the loops.
    """
    if tree.leaves == 1:
        return "one product"
    item = nest_of(tree)
    return _Words(filter_hwio).item(item) + bias_position(item)


@dataclass(frozen=True)
class _Words:
    """Words for the items of a nest, the bias left out.

    each: "each " where an item stands for several that are like it.
    """

    filter_hwio: tuple[int, int, int, int]

    def item(self, item: Item, each: str = "") -> str:
        if isinstance(item, Leaf):
            return "the bias" if item.index == BIAS else f"tap {item.index}"
        if isinstance(item, Chain):
            return self.chain(item, each)
        if isinstance(item, Pairs):
            return self.pairs(item, each)
        if isinstance(item, Many):
            return f"{_terms(taps_in(item))} in one multi-operand addition"
        return self.group(flat((item,)), each)

    def chain(self, chain: Chain, each: str) -> str:
        steps = flat(chain.items)
        terms = [step for step in steps if not is_bias(step)]
        if all(isinstance(step, Leaf) for step in terms):
            order = tap_order(chain.items, self.filter_hwio)
            return f"{_taps(len(terms))} ({order}), {each}{_additions(chain, steps)}"
        groups = [list(group) for _, group in groupby(terms, key=_likeness)]
        parts = [self.group(group, each, fused=chain.fused) for group in groups]
        if len(terms) == 1:
            return parts[0]
        if len(parts) == 1:
            return f"{parts[0]}, blocks added left to right"
        return f"{'; then '.join(parts)}; all added left to right"

    def pairs(self, item: Pairs, each: str) -> str:
        steps = unrolled(item.items)
        pairing = "halves first" if item.halves else "neighbours first"
        first = [first_tap(step) + shift for step, shift in steps]
        if first != sorted(first):
            more = " ..." if len(first) > 8 else ""
            pairing = f"in the order {', '.join(map(str, first[:8]))}{more}"
        lanes = [step for step, _ in steps]
        if all(isinstance(step, Leaf) for step in lanes):
            order = tap_order(item.items, self.filter_hwio)
            return f"{_taps(len(lanes))} ({order}), {each}added pairwise, {pairing}"
        text = self.group(lanes, each, noun="lane")
        return f"{text}, lanes added pairwise, {pairing}"

    def group(
        self, steps: Sequence[Item], each: str, *, noun: str = "block", fused: bool = False
    ) -> str:
        """Return several items of one kind and size, the first standing for all."""
        first = steps[0]
        several = len(steps) > 1
        if isinstance(first, Leaf):
            singly = " one by one" if several else ""
            marked = ", fused" if fused or first.fused else ""
            return f"{_taps(len(steps))}{singly}{marked}"
        if _joins_sum(first):
            text = f"{_terms(taps_in(first))} added together with the sum"
        else:
            text = self.item(first, "each " if several else each)
        return f"{len(steps)} {noun}s of {text}" if several else text


def bias_position(item: Item) -> str:
    """Return where the bias joins: a clause with its comma, or nothing."""
    if not holds_bias(item):
        return ""
    if not isinstance(item, Chain):
        return ", the bias inside"
    steps = flat(item.items)
    at = next(k for k, step in enumerate(steps) if holds_bias(step))
    if not is_bias(steps[at]):
        return f"{bias_position(steps[at])} of part {at + 1}"
    if at == 0:
        return ", bias first"
    if at == len(steps) - 1:
        return ", bias last"
    kind = "term" if isinstance(steps[at - 1], Leaf) else "block"
    return f", bias after {kind} {at}"


def _additions(chain: Chain, steps: Sequence[Item]) -> str:
    """Return how a chain of single taps is added: with which products fused."""
    later = [step for step in steps[1:] if isinstance(step, Leaf) and step.index != BIAS]
    fused = sum(step.fused for step in later)
    if chain.fused or (later and fused == len(later)):
        return "a chain of fused multiply-adds"
    if fused:
        return f"a chain, {fused} of {len(later)} products fused"
    return "a chain of rounded products"


def _likeness(item: Item) -> Hashable:
    """Return what items of one kind and size share."""
    return type(item), _joins_sum(item), taps_in(item)


def _joins_sum(item: Item) -> bool:
    return isinstance(item, Many) and item.onto


def _taps(count: int) -> str:
    return plural(count, "tap", "")


def _terms(count: int) -> str:
    return plural(count, "term", "")
