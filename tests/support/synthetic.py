"""Kernels with a known order, and kernels that have none; nothing here uses the replay's code."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convdiff.numerics.array import Array
from convdiff.order.footprint import footprints
from convdiff.order.geometry import Geometry
from convdiff.order.tree.tree import Tree


@dataclass(frozen=True)
class Machine:
    """The arithmetic of a synthetic kernel: how it adds, fuses and adds many at once."""

    accumulator: str
    guard: int = 1

    def stored(self, values: Array) -> Array:
        """Round to the accumulator."""
        if self.accumulator == "bfloat16":
            return narrowed_bfloat16(values.astype(np.float32))
        return values.astype(self.accumulator)

    def wide(self, values: Array) -> Array:
        """Return values in a type whose products and sums need no rounding in a probe."""
        return values.astype(np.longdouble)

    def many(self, operands: list[Array]) -> Array:
        """Align to the largest, cut, add, cut: what tensor cores do."""
        wide = [np.asarray(v, np.float64) for v in operands]
        bits = 53 if self.accumulator == "float64" else 24 + self.guard
        largest = np.max(np.abs(wide), axis=0)
        last = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))) + 1 - bits)
        total = sum(np.trunc(v / last) * last for v in wide)
        near = np.asarray(total).astype(self.accumulator)
        back = np.nextafter(near, near.dtype.type(0))
        return np.where(np.abs(near.astype(np.float64)) > np.abs(total), back, near)


def narrowed_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round float32 to bfloat16, to nearest even."""
    raw = values.view(np.uint32).astype(np.uint64)
    up = (raw + 0x7FFF + ((raw >> 16) & 1)) & 0xFFFF0000
    return up.astype(np.uint32).view(np.float32)


def summed(tree: Tree, machine: Machine, x: Array, w: Array, bias: Array | None) -> Array:
    """Add the products x * w (taps, ...) and the bias in the order of the tree, node by node."""
    exact = machine.wide(x) * machine.wide(w)
    # float64 rounds its own products once; all others are exact before they are stored.
    own = machine.accumulator == "float64"
    values = [a.astype(np.float64) * b for a, b in zip(x, w, strict=True)] if own else list(exact)
    values = [machine.stored(p) for p in values]
    if bias is not None:
        values.append(np.broadcast_to(machine.stored(bias), values[0].shape))
    for parts, fused in zip(tree.children, tree.fused, strict=True):
        if len(parts) > 2:
            values.append(machine.many([exact[c] if c < tree.taps else values[c] for c in parts]))
        elif fused >= 0:
            (other,) = set(parts) - {fused}
            values.append(machine.stored(exact[fused] + machine.wide(values[other])))
        else:
            values.append(machine.stored(values[parts[0]] + values[parts[1]]))
    return np.asarray(values[-1])


def tree_kernel(tree: Tree, geometry: Geometry, machine: Machine | None = None):  # type: ignore[no-untyped-def]
    """Return a convolution function (see `CallableKernel`) that adds in the order of a tree."""
    return orders_kernel(lambda position, channel: tree, geometry, machine)


def orders_kernel(choose, geometry: Geometry, machine: Machine | None = None):  # type: ignore[no-untyped-def]
    """Return a convolution whose element (position, channel) has the tree `choose` gives it."""
    machine = machine or Machine(geometry.dtype)
    trees = [[choose(p, c) for c in range(geometry.cout)] for p in range(geometry.positions)]
    groups: dict[int, tuple[Tree, list[tuple[int, int]]]] = {}
    for p, row in enumerate(trees):
        for c, tree in enumerate(row):
            groups.setdefault(id(tree), (tree, []))[1].append((p, c))
    per_group = geometry.cout // geometry.groups

    def convolution(input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        windows = geometry.windows(input_nhwc, np.arange(geometry.positions))
        weights = filter_hwio.reshape(geometry.taps, geometry.cout)
        output = np.zeros((geometry.positions, geometry.cout), windows.dtype)
        for tree, elements in groups.values():
            p, c = np.array(elements).T
            total = summed(
                tree,
                machine,
                windows[:, p, c // per_group],
                weights[:, c],
                None if bias is None else bias[c],
            )
            if geometry.dtype == "bfloat16":
                total = narrowed_bfloat16(total.astype(np.float32))
            elif geometry.dtype == "float16":
                total = total.astype(np.float16)
            output[p, c] = total
        return output.reshape(geometry.output_nhwc)

    return convolution


def footprints_kernel(choose, geometry: Geometry, machine: Machine | None = None):  # type: ignore[no-untyped-def]
    """Return a convolution that adds only taps on the input, in the tree `choose` gives for them.

    choose: of the geometry of what some outputs see.
    """
    machine = machine or Machine(geometry.dtype)
    channels = np.arange(geometry.cout) // (geometry.cout // geometry.groups)
    parts = []
    for footprint, among in footprints(geometry.conv, geometry.input_nhwc):
        part = geometry.seeing(footprint)
        parts.append((part, np.flatnonzero(among), choose(part) if part.taps else None))

    def convolution(input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        output = np.zeros((geometry.positions, geometry.cout), input_nhwc.dtype)
        output += 0 if bias is None else bias
        for part, positions, tree in parts:
            if tree is not None:
                windows = part.windows(input_nhwc, positions)[:, :, channels]
                weights = part.cut(filter_hwio).reshape(part.taps, 1, geometry.cout)
                output[positions] = summed(tree, machine, windows, weights, bias)
        return output.reshape(geometry.output_nhwc)

    return convolution


def random_tree(taps: int, bias: bool, seed: int, many: bool = True, fuse: bool = True) -> Tree:
    """Return a random order: wild, a chain, blocks, lanes, or a mixture of them."""
    rng = random.Random(seed)
    leaves = taps + bias
    pool = list(range(leaves))
    style = rng.choice(["wild", "chain", "backwards", "blocks", "lanes", "near"])
    if style == "backwards":
        pool.reverse()
    if style == "lanes":
        lanes = rng.randint(2, 8)
        pool = [k for lane in range(lanes) for k in pool[lane::lanes]]
    if rng.random() < 0.1:
        rng.shuffle(pool)
    children: list[list[int]] = []
    fused: list[int] = []
    fusing = rng.choice([0.0, 0.5, 1.0]) if fuse else 0.0
    several = rng.choice([0.0, 0.0, 0.2, 0.8]) if many else 0.0

    def add(parts: list[int]) -> int:
        mark = -1
        taps_in = [c for c in parts if c < taps]
        if len(parts) == 2 and taps_in and rng.random() < fusing:
            mark = taps_in[-1] if fusing == 1.0 else rng.choice(taps_in)
        children.append(parts)
        fused.append(mark)
        return leaves + len(children) - 1

    def taken(rest: list[int]) -> int:
        return min(len(rest), rng.randint(3, 9) if rng.random() < several else 2)

    def chain(items: list[int]) -> int:
        items = list(items)
        while len(items) > 1:
            k = taken(items)
            items[:k] = [add(items[:k])]
        return items[0]

    if style in ("blocks", "lanes") and leaves > 4:
        size = rng.randint(2, max(2, leaves // 2))
        pool = [chain(pool[k : k + size]) for k in range(0, leaves, size)]
    if style in ("wild", "near"):
        while len(pool) > 1:
            k = taken(pool)
            if style == "near":
                at = rng.randrange(len(pool) - k + 1)
            else:
                rng.shuffle(pool)
                at = 0
            pool[at : at + k] = [add(pool[at : at + k])]
    else:
        chain(pool)
    return Tree.build(taps, leaves, children, fused)
