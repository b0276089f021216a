"""The replay of a summation order: its sums at all elements of an output, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.parallel import each
from convdiff.numerics.rounding import storage
from convdiff.order.geometry import Geometry
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.evaluate import Terms, evaluate, leaves, may_be_tiny
from convdiff.order.replay.step import Step
from convdiff.order.replay.tiles import Task, tasks
from convdiff.order.tree.tree import Tree
from convdiff.order.tree.with_added import with_added


@dataclass(frozen=True, eq=False)
class Data:
    """The numbers of one call: NHWC input, HWIO filter, (cout,) bias or None.

    And what a step adds, (positions, cout), or None.
    """

    input_nhwc: Array
    filter_hwio: Array
    bias: Array | None
    added: Array | None = None


@dataclass(frozen=True)
class Order:
    """A summation order with its rounding and the step that follows: all that a replay needs."""

    tree: Tree
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    step: Step = field(default_factory=Step)

    @property
    def whole(self) -> Tree:
        """The tree with what the step adds, where that joins the sum while it is made."""
        joined = with_added(self.tree, self.step.joins) if self.step.joins else None
        return self.tree if joined is None else joined


def replay(
    order: Order,
    geometry: Geometry,
    data: Data,
    positions: Array | None = None,
    channels: Array | None = None,
) -> Array:
    """Return what `order` gives at (positions, channels), in float64 or float32 storage.

    That are its sums, after the step that follows.

    positions: flat indices into N x OH x OW, channels: output channels; None means all.
    Raises ValueError where the order has other leaves than the geometry.
    """
    if (order.tree.taps, order.tree.leaves) != (geometry.taps, geometry.leaves):
        raise ValueError(f"an order of {order.tree.leaves} leaves for {geometry.leaves}")
    rows = np.arange(geometry.positions) if positions is None else np.asarray(positions)
    lanes = np.arange(geometry.cout) if channels is None else np.asarray(channels)
    sums = np.empty((len(rows), len(lanes)), storage(order.arithmetic.dtype))
    by_channel = geometry.groups > 1 or len(rows) >= len(lanes)
    operands = _Operands.of(order.arithmetic, geometry, data, lanes)
    added = None if data.added is None else data.added[np.ix_(rows, lanes)]
    tree = order.whole

    def work(task: Task) -> None:
        with np.errstate(all="ignore"):
            terms = operands.at(rows[task.positions])
            if tree is not order.tree and added is not None:
                terms = replace(terms, added=added[task.positions].T)
            for some in task.channels:
                tile = terms.of(some) if by_channel else terms.of(some).swapped()
                results = evaluate(tree, order.arithmetic, tile)
                sums[task.positions, some] = results.T if by_channel else results

    values = geometry.taps * geometry.groups
    each(work, tasks(len(rows), len(lanes), values, by_channel=by_channel))
    if not order.step.then or tree is not order.tree:
        return sums
    with np.errstate(all="ignore"):
        return order.step.of(sums, added, order.arithmetic.dtype)


def partial_sums(
    order: Order, geometry: Geometry, data: Data, position: int, channel: int
) -> dict[int, float]:
    """Return the value of every inner node of the order for one output element."""
    sums: dict[int, float] = {}

    def watch(node: int, value: Array) -> None:
        sums[node] = float(value[0, 0])

    with np.errstate(all="ignore"):
        terms = _terms_at(order, geometry, data, position, channel)
        evaluate(order.tree, order.arithmetic, terms, watch)
    return sums


def leaf_values(
    order: Order, geometry: Geometry, data: Data, position: int, channel: int
) -> dict[int, float]:
    """Return the value of every leaf of the order for one output element.

    A product that enters its addition unrounded is given in float64.
    """
    with np.errstate(all="ignore"):
        terms = _terms_at(order, geometry, data, position, channel)
        values = enumerate(leaves(order.tree, order.arithmetic, terms))
        return {leaf: float(value.reshape(-1)[0]) for leaf, value in values}


def _terms_at(order: Order, geometry: Geometry, data: Data, position: int, channel: int) -> Terms:
    """Return the terms of one output element."""
    operands = _Operands.of(order.arithmetic, geometry, data, np.array([channel]))
    return operands.at(np.array([position]))


@dataclass(frozen=True, eq=False)
class _Operands:
    """The numbers of one call, and how its kernel reads them."""

    arithmetic: Arithmetic
    geometry: Geometry
    input_nhwc: Array
    weights: Array
    bias: Array | None
    group: Array | None

    @classmethod
    def of(
        cls, arithmetic: Arithmetic, geometry: Geometry, data: Data, channels: Array
    ) -> _Operands:
        """Take the weights and the bias of some channels."""
        weights = data.filter_hwio.reshape(geometry.taps, geometry.cout)[:, channels, None]
        bias = None if data.bias is None else arithmetic.stored(data.bias[channels, None])
        group = None if geometry.groups == 1 else channels // (geometry.cout // geometry.groups)
        # Chosen by an array, the channels of one tap do not lie beside each other in memory.
        narrow = np.ascontiguousarray(arithmetic.narrow_weights(weights))
        return cls(arithmetic, geometry, data.input_nhwc, narrow, bias, group)

    def at(self, positions: Array) -> Terms:
        """Return the terms of these channels at some positions."""
        windows = self.arithmetic.narrow(self.geometry.windows(self.input_nhwc, positions))
        windows = np.ascontiguousarray(windows.swapaxes(1, 2))
        tiny = may_be_tiny(windows, self.weights)
        return Terms(windows, self.weights, self.bias, self.group, tiny)
