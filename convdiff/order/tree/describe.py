"""A summation order in words, as a loop nest with its taps named (kh, kw, cin)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from convdiff.order.tree.find_loops import nest_of
from convdiff.order.tree.loop_nest import BIAS, Chain, Item, Leaf, Loop, Many, Pairs, unrolled
from convdiff.order.tree.tree import Tree


def describe(tree: Tree, filter_hwio: tuple[int, int, int, int]) -> str:
    """Return an order in one sentence, without a full stop.

    filter_hwio: (kh, kw, cin/groups, cout), for the names of the loops.
    """
    if tree.leaves == 1:
        return "one product"
    words = _Words(filter_hwio)
    item = nest_of(tree)
    text = words.item(item)
    return text + words.bias(item)


@dataclass(frozen=True)
class _Words:
    filter_hwio: tuple[int, int, int, int]

    def item(self, item: Item) -> str:
        """Return an item without its bias."""
        if isinstance(item, Leaf):
            return "the bias" if item.index == BIAS else f"tap {item.index}"
        if isinstance(item, Chain):
            return self._chain(item)
        if isinstance(item, Pairs):
            return self._pairs(item)
        if isinstance(item, Many):
            return f"{_terms(_size(item))} in one multi-operand addition"
        return self._group([part for part, _ in unrolled((item,))])

    def bias(self, item: Item) -> str:
        """Return where the bias joins: a clause with its comma, or nothing."""
        if not isinstance(item, Chain):
            return ", the bias inside" if _holds_bias(item) else ""
        steps = [part for part, _ in unrolled(item.items)]
        at = next((k for k, step in enumerate(steps) if _is_bias(step)), -1)
        if at < 0:
            if any(_holds_bias(step) for step in steps):
                inside = next(k for k, step in enumerate(steps) if _holds_bias(step))
                return self.bias(steps[inside]) + f" of part {inside + 1}"
            return ""
        if at == 0:
            return ", bias first"
        if at == len(steps) - 1:
            return ", bias last"
        kind = "term" if isinstance(steps[at - 1], Leaf) else "block"
        return f", bias after {kind} {at}"

    def _chain(self, chain: Chain) -> str:
        steps = [part for part, _ in unrolled(chain.items)]
        terms = [step for step in steps if not _is_bias(step)]
        taps = [step for step in terms if isinstance(step, Leaf)]
        if len(taps) == len(terms):
            return self._taps(chain, taps, steps)
        parts = [
            self._group(list(group), fused=chain.fused)
            for _, group in groupby(terms, key=lambda step: (type(step), _onto(step), _size(step)))
        ]
        if len(terms) == 1:
            return parts[0]
        if len(parts) == 1:
            return f"{parts[0]}, blocks added left to right"
        return f"{'; then '.join(parts)}; all added left to right"

    def _taps(self, chain: Chain, taps: Sequence[Item], steps: Sequence[Item]) -> str:
        """Return a chain of single taps: how many, how they are added, in which order."""
        count = len(taps)
        able = sum(isinstance(s, Leaf) and s.index != BIAS for s in steps[1:])
        fused = sum(isinstance(s, Leaf) and s.fused for s in steps[1:])
        order = self._order(chain.items)
        if chain.fused or (fused == able and able):
            how = "a chain of fused multiply-adds"
        elif fused:
            how = f"a chain, {fused} of {able} products fused"
        else:
            how = "a chain of rounded products"
        return f"{_taps(count)} ({order}), {how}"

    def _pairs(self, item: Pairs) -> str:
        steps = [part for part, _ in unrolled(item.items)]
        which = "halves first" if item.halves else "neighbours first"
        first = [_first(step) + by for step, by in unrolled(item.items)]
        if first != sorted(first):
            which = "in the order " + ", ".join(map(str, first[:8])) + " ..." * (len(first) > 8)
        if all(isinstance(step, Leaf) for step in steps):
            return f"{_taps(len(steps))} ({self._order(item.items)}), added pairwise, {which}"
        return f"{self._group(steps, 'lane')}, lanes added pairwise, {which}"

    def _group(self, steps: list[Item], noun: str = "block", fused: bool = False) -> str:
        """Return several items of one kind and size, the first standing for all."""
        first = steps[0]
        if isinstance(first, Leaf):
            each = ", fused" if fused or first.fused else ""
            return _taps(len(steps)) + (" one by one" if len(steps) > 1 else "") + each
        text = self.item(first)
        if _onto(first):
            text = f"{_terms(_size(first))} added together with the sum"
        if len(steps) == 1:
            return text
        each = text.replace("), a chain", "), each a chain").replace("), added", "), each added")
        return f"{len(steps)} {noun}s of {each}"

    def _order(self, items: tuple[Item, ...]) -> str:
        """Return the loops over the taps of a chain, the outermost first."""
        loops: list[Loop] = []
        row = tuple(item for item in items if not _is_bias(item))
        while len(row) == 1 and isinstance(row[0], Loop):
            loops.append(row[0])
            row = row[0].body
        if not loops or len(row) != 1:
            flat = [s.index + by for s, by in unrolled(row) if isinstance(s, Leaf)]
            if flat == list(range(flat[0], flat[0] + len(flat))):
                return self._named(len(flat), 1)
            shown = ", ".join(map(str, flat[:6])) + (", ..." if len(flat) > 6 else "")
            return f"taps {shown}"
        return ", ".join(
            self._named(loop.count, loop.step, inner)
            for loop, inner in zip(loops, [*loops[1:], None], strict=True)
        )

    def _named(self, count: int, step: int, inner: Loop | None = None) -> str:
        """Return the name of a loop over taps `step` apart, each step of which holds `inner`."""
        kh, kw, cin, _ = self.filter_hwio
        backwards = " backwards" if step < 0 else ""
        step = abs(step)
        if step == 1:
            if count <= cin and cin > 1:
                return f"{count} channels" + backwards
            axes = [axis for axis, size in (("kh", kh), ("kw", kw), ("cin", cin)) if size > 1]
            return ", ".join(axes) + " order" + backwards
        if step % (kw * cin) == 0 and kh > 1:
            text = f"{count} kh"
        elif step % cin == 0 and cin > 1:
            text = f"{count} kw" if count <= kw else f"{count} (kh, kw)"
        elif inner is not None and inner.count * abs(inner.step) == step:
            text = f"{count} blocks of {step} channels"
        elif inner is not None:
            text = f"{count} blocks, {step} channels apart"
        else:
            text = f"every {step}{_ordinal(step)} tap"
        return text + backwards


def _ordinal(number: int) -> str:
    """Return the ending of an English ordinal."""
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _is_bias(item: Item) -> bool:
    return isinstance(item, Leaf) and item.index == BIAS


def _holds_bias(item: Item) -> bool:
    if isinstance(item, Leaf):
        return item.index == BIAS
    inside = item.body if isinstance(item, Loop) else item.items
    return any(_holds_bias(part) for part in inside)


def _first(item: Item) -> int:
    """Return the first tap that an item names."""
    if isinstance(item, Leaf):
        return item.index
    return _first((item.body if isinstance(item, Loop) else item.items)[0])


def _onto(item: Item) -> bool:
    return isinstance(item, Many) and item.onto


def _size(item: Item) -> int:
    """Return the taps of an item."""
    if isinstance(item, Leaf):
        return int(item.index != BIAS)
    if isinstance(item, Loop):
        return item.count * sum(_size(part) for part in item.body)
    return sum(_size(part) for part in item.items)


def _taps(count: int) -> str:
    return "1 tap" if count == 1 else f"{count} taps"


def _terms(count: int) -> str:
    return "1 term" if count == 1 else f"{count} terms"
