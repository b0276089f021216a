"""Evaluate a summation order over a whole output tensor, bit for bit.

The order is one program; every step of it is one array operation over the elements of a chunk that
stays in the cache. The products of a tap are made when they are needed, so memory does not grow
with taps x elements.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.fma import TINY_PRODUCT
from convdiff.numerics.rounding import rounded
from convdiff.order.geometry import Geometry
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.narrowed import narrowed_nodes
from convdiff.order.replay.schedule import (
    ADD_LEAF,
    FUSE_LEAF,
    JOIN,
    MANY,
    PUSH,
    Program,
    compile_order,
)
from convdiff.order.tree.tree import Tree

#: Elements of a chunk: a few float64 arrays of it fit the second-level cache.
_CHUNK_ELEMENTS = 16384

#: Window values of a chunk (taps x positions x groups), which bounds memory where taps are many.
_CHUNK_WINDOWS = 8_000_000


@dataclass(frozen=True, eq=False)
class Data:
    """The numbers of one call: NHWC input, HWIO filter, (cout,) bias or None."""

    input_nhwc: Array
    filter_hwio: Array
    bias: Array | None


@dataclass(frozen=True)
class Order:
    """A summation order with its rounding: all that a replay needs."""

    tree: Tree
    arithmetic: Arithmetic = field(default_factory=Arithmetic)


def replay(
    order: Order,
    geometry: Geometry,
    data: Data,
    positions: Array | None = None,
    channels: Array | None = None,
) -> Array:
    """Return the sums of `order` at (positions, channels), in float64 or float32 storage.

    positions: flat indices into N x OH x OW, channels: output channels; None means all.
    Raises ValueError where the order has other leaves than the geometry.
    """
    if (order.tree.taps, order.tree.leaves) != (geometry.taps, geometry.leaves):
        raise ValueError(f"an order of {order.tree.leaves} leaves for {geometry.leaves}")
    rows = np.arange(geometry.positions) if positions is None else np.asarray(positions)
    lanes = np.arange(geometry.cout) if channels is None else np.asarray(channels)
    weights = order.arithmetic.narrow_weights(
        data.filter_hwio.reshape(geometry.taps, geometry.cout)[:, lanes]
    )
    bias = None if data.bias is None else order.arithmetic.stored(data.bias[lanes])
    group = None if geometry.groups == 1 else lanes // (geometry.cout // geometry.groups)
    program = compile_order(order.tree)
    step = _chunk_rows(geometry, len(lanes))

    def part(start: int) -> Array:
        chosen = rows[start : start + step]
        windows = order.arithmetic.narrow(geometry.windows(data.input_nhwc, chosen))
        with np.errstate(all="ignore"):
            return _evaluate(order, program, _Terms(windows, weights, bias, group))

    # One thread: steps are short enough that threads only wait for each other (measured).
    parts = [part(start) for start in range(0, len(rows), step)]
    if not parts:
        return np.zeros((0, len(lanes)), weights.dtype)
    return np.concatenate(parts)


def _chunk_rows(geometry: Geometry, lanes: int) -> int:
    """Return how many positions are evaluated at once."""
    by_windows = _CHUNK_WINDOWS // (geometry.taps * geometry.groups)
    return max(1, min(_CHUNK_ELEMENTS // max(1, lanes), by_windows))


def partial_sums(
    order: Order, geometry: Geometry, data: Data, position: int, channel: int
) -> dict[int, float]:
    """Return the value of every inner node of the order for one output element."""
    sums: dict[int, float] = {}

    def watch(node: int, value: Array) -> None:
        sums[node] = float(value[0, 0])

    with np.errstate(all="ignore"):
        terms = _terms_at(order, geometry, data, position, channel)
        _evaluate(order, compile_order(order.tree), terms, watch)
    return sums


def leaf_values(
    order: Order, geometry: Geometry, data: Data, position: int, channel: int
) -> dict[int, float]:
    """Return the value of every leaf of the order for one output element.

    A product that enters its addition unrounded is given in float64.
    """
    fused = order.tree.fused_taps()
    values: dict[int, float] = {}
    with np.errstate(all="ignore"):
        terms = _terms_at(order, geometry, data, position, channel)
        sums = _PartialSums(order, terms)
        for leaf in range(order.tree.leaves):
            exact = leaf in fused
            value = (
                np.multiply(*terms.factors(leaf), dtype=np.float64) if exact else sums.term(leaf)
            )
            values[leaf] = float(np.asarray(value).reshape(-1)[0])
    return values


def _terms_at(order: Order, geometry: Geometry, data: Data, position: int, channel: int) -> _Terms:
    """Return the terms of one output element."""
    arithmetic = order.arithmetic
    windows = arithmetic.narrow(geometry.windows(data.input_nhwc, np.array([position])))
    column = data.filter_hwio.reshape(geometry.taps, geometry.cout)[:, channel : channel + 1]
    bias = None if data.bias is None else arithmetic.stored(data.bias[channel : channel + 1])
    group = np.array([channel // (geometry.cout // geometry.groups)])
    return _Terms(windows, arithmetic.narrow_weights(column), bias, group)


@dataclass(frozen=True, eq=False)
class _Terms:
    """What the leaves of a chunk are.

    windows (taps, positions, groups), weights (taps, lanes), bias (lanes,) or None; group is the
    group of each lane, None where there is only one.
    """

    windows: Array
    weights: Array
    bias: Array | None
    group: Array | None

    def factors(self, tap: int) -> tuple[Array, Array]:
        """Return the two factors of a product, which broadcast to (positions, lanes)."""
        window = self.windows[tap]
        return (window if self.group is None else window[:, self.group]), self.weights[tap]

    @cached_property
    def tiny(self) -> bool:
        """Whether a product other than zero may be smaller than TINY_PRODUCT."""
        return not _least(self.windows) * _least(self.weights) >= TINY_PRODUCT

    def added(self) -> Array:
        """Return the bias of each element."""
        assert self.bias is not None
        return np.broadcast_to(self.bias, (self.windows.shape[1], self.weights.shape[1]))


def _least(values: Array) -> float:
    """Return the smallest magnitude other than zero; NaN where there is one."""
    sizes = np.abs(values)
    return float(sizes.min(where=sizes != 0, initial=np.inf))


def _evaluate(
    order: Order,
    program: Program,
    terms: _Terms,
    watch: Callable[[int, Array], None] | None = None,
) -> Array:
    """Return (positions, lanes) sums; `watch` is told each inner node and its value."""
    sums = _PartialSums(order, terms)
    operations = {
        PUSH: sums.push,
        ADD_LEAF: sums.add_leaf,
        FUSE_LEAF: sums.fuse_leaf,
        JOIN: sums.join,
        MANY: sums.many,
    }
    for operation, operand, node in program.steps:
        operations[operation](operand, node)
        if node in sums.narrowed:
            sums.stack[-1] = rounded(sums.stack[-1], sums.narrowed[node])
        if watch is not None and operation != PUSH:
            watch(node, sums.stack[-1])
    return order.arithmetic.finish(sums.stack[-1])


class _PartialSums:
    """The stack on which a program works; each method is one of its operations.

    All take an operand, a leaf or how many sums are added, and the node that the result is.
    """

    def __init__(self, order: Order, terms: _Terms) -> None:
        self.stack: list[Array] = []
        self.narrowed = narrowed_nodes(order.tree, order.arithmetic)
        self._arithmetic, self._tree, self._terms = order.arithmetic, order.tree, terms
        # A multi-operand addition takes its products unrounded.
        several = (parts for parts in order.tree.children if len(parts) > 2)
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

    def join(self, _: int, node: int) -> None:
        top, name = self.stack.pop(), self.narrowed.get(node, "")
        self.stack[-1] = self._arithmetic.add(self.stack[-1], top, name)

    def many(self, count: int, _: int) -> None:
        operands = self.stack[-count:]
        del self.stack[-count:]
        self.stack.append(self._arithmetic.many(operands))

    def term(self, leaf: int) -> Array:
        """Return a product, or the bias, as it is added."""
        if leaf >= self._tree.taps:
            return self._terms.added()
        x, w = self._terms.factors(leaf)
        if leaf in self._exact:
            return np.multiply(x, w, dtype=np.float64)
        return self._arithmetic.product(x, w)
