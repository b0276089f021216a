"""Evaluate a summation order at some elements at once: every step is one array operation.

The products of a tap are made when they are needed, so memory does not grow with taps x elements.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.fma import TINY_PRODUCT, fma32_chain
from convdiff.numerics.rounding import rounded
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.narrowed import narrowed_nodes
from convdiff.order.replay.schedule import ADD_LEAF, FUSE_LEAF, JOIN, MANY, PUSH, compile_order
from convdiff.order.tree.tree import Tree
from convdiff.worker.framework import mapped

#: Elements up to which calling NumPy costs more than what it does; products in a row that are worth
#: more than one step each then; and how many products are looked at together.
_FEW, _RUN, _AT_ONCE = 1024, 4, 2**16


@dataclass(frozen=True, eq=False)
class Terms:
    """What the leaves of some elements are, as the kernel reads them.

    windows: (taps, groups, positions), weights: (taps, channels, 1), bias: (channels, 1) or None;
    group: that of each channel, None where there is one. The elements are (channels, positions).
    added: of these elements, where the last leaf is what a step adds; else None.
    tiny: whether a product other than zero may be smaller than TINY_PRODUCT.
    """

    windows: Array
    weights: Array
    bias: Array | None
    group: Array | None
    tiny: bool
    added: Array | None = None

    def factors(self, taps: int | Sequence[int]) -> tuple[Array, Array]:
        """Return the two factors of a product, or of several, which broadcast to the elements."""
        windows = self.windows[taps]
        if self.group is not None:
            windows = windows[..., self.group, :]
        return windows, self.weights[taps]

    def of(self, channels: slice) -> Terms:
        """Return the terms of some channels."""
        bias, group, added = mapped(itemgetter(channels), (self.bias, self.group, self.added))
        return Terms(self.windows, self.weights[:, channels], bias, group, self.tiny, added)

    def swapped(self) -> Terms:
        """Return the terms of one group with elements that are (positions, channels)."""
        bias, added = mapped(np.transpose, (self.bias, self.added))
        windows, weights = self.windows.swapaxes(1, 2), self.weights.swapaxes(1, 2)
        return Terms(windows, weights, bias, None, self.tiny, added)


def may_be_tiny(x: Array, w: Array) -> bool:
    """Return whether a product of x and w other than zero may be smaller than TINY_PRODUCT."""
    return not _least(x) * _least(w) >= TINY_PRODUCT


def _least(values: Array) -> float:
    """Return the smallest magnitude other than zero; NaN where there is one."""
    sizes = np.abs(values)
    return float(sizes.min(where=sizes != 0, initial=np.inf))


def evaluate(
    tree: Tree,
    arithmetic: Arithmetic,
    terms: Terms,
    watch: Callable[[int, Array], None] | None = None,
) -> Array:
    """Return the sums of the elements; `watch` is told each inner node and its value.

    Warns as NumPy does on overflow, and so on.
    """
    sums = _PartialSums(tree, arithmetic, terms)
    operations = {
        PUSH: sums.push,
        ADD_LEAF: sums.add_leaf,
        FUSE_LEAF: sums.fuse_leaf,
        JOIN: sums.join,
        MANY: sums.many,
    }
    for operation, run in compile_order(tree).runs:
        if operation == FUSE_LEAF and watch is None and sums.are_few(len(run)):
            sums.fuse_leaves([leaf for _, leaf, _ in run])
            continue
        for _, operand, node in run:
            operations[operation](operand, node)
            if node in sums.narrowed:
                sums.stack[-1] = rounded(sums.stack[-1], sums.narrowed[node])
            if watch is not None and operation != PUSH:
                watch(node, sums.stack[-1])
    return arithmetic.finish(sums.stack[-1])


def leaves(tree: Tree, arithmetic: Arithmetic, terms: Terms) -> Iterator[Array]:
    """Yield the values of each leaf; of a product that is added unrounded, they are float64."""
    fused, sums = tree.fused_taps(), _PartialSums(tree, arithmetic, terms)
    for leaf in range(tree.leaves):
        if leaf in fused:
            yield np.asarray(np.multiply(*terms.factors(leaf), dtype=np.float64))
        else:
            yield sums.term(leaf)


class _PartialSums:
    """The stack on which a program works; each method is one of its operations.

    All take an operand, a leaf or how many sums are added, and the node that the result is.
    """

    def __init__(self, tree: Tree, arithmetic: Arithmetic, terms: Terms) -> None:
        self.stack: list[Array] = []
        self.narrowed = narrowed_nodes(tree, arithmetic)
        self._arithmetic, self._tree, self._terms = arithmetic, tree, terms
        # A multi-operand addition takes its products unrounded.
        several = (parts for parts in tree.children if len(parts) > 2)
        self._exact = set(itertools.chain.from_iterable(several))

    def push(self, leaf: int, _: int) -> None:
        self.stack.append(self._arithmetic.started(self.term(leaf)))

    def add_leaf(self, leaf: int, node: int) -> None:
        if self._arithmetic.early and node == self._tree.root and leaf >= self._tree.taps:
            self.stack[-1] = self._arithmetic.finish(self.stack[-1])
        name = self.narrowed.get(node, "")
        self.stack[-1] = self._arithmetic.add(self.stack[-1], self.term(leaf), name)

    def fuse_leaf(self, leaf: int, _: int) -> None:
        x, w = self._terms.factors(leaf)
        self.stack[-1] = self._arithmetic.fused(x, w, self.stack[-1], tiny=self._terms.tiny)

    def are_few(self, run: int) -> bool:
        """Return whether so many products in a row are best fused by `fuse_leaves`."""
        plain = not (self.narrowed or self._terms.tiny) and self._arithmetic.fuses_plainly
        return plain and run >= _RUN and self.stack[-1].size <= _FEW

    def fuse_leaves(self, leaves: Sequence[int]) -> None:
        """Add fused products in a row, as many at a time as fit the cache."""
        shape = np.broadcast_shapes(*(v.shape for v in (*self._terms.factors(0), self.stack[-1])))
        total = np.broadcast_to(self.stack[-1], shape)
        step = max(_RUN, _AT_ONCE // total.size)
        for start in range(0, len(leaves), step):
            x, w = self._terms.factors(leaves[start : start + step])
            total = fma32_chain(x, w, total)[-1]
        self.stack[-1] = total

    def join(self, _: int, node: int) -> None:
        top, name = self.stack.pop(), self.narrowed.get(node, "")
        self.stack[-1] = self._arithmetic.add(self.stack[-1], top, name)

    def many(self, count: int, _: int) -> None:
        operands = self.stack[-count:]
        del self.stack[-count:]
        self.stack.append(self._arithmetic.many(operands))

    def term(self, leaf: int) -> Array:
        """Return a product, the bias, or what a step adds, as it is added."""
        if leaf >= self._tree.taps:
            last = leaf == self._tree.leaves - 1 and self._terms.added is not None
            other = self._terms.added if last else self._terms.bias
            assert other is not None
            return other
        x, w = self._terms.factors(leaf)
        if leaf in self._exact:
            return np.multiply(x, w, dtype=np.float64)
        return self._arithmetic.product(x, w)
