"""What one order has that another has not, each of which can be changed alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.replay import Order
from convdiff.order.tree.tree import Tree
from convdiff.order.tree.without_bias import without_bias


class Part(str, Enum):
    """What two orders may differ in."""

    ORDER = "order"
    FMA = "fma"
    BIAS_POSITION = "bias position"
    PRECISION = "precision"
    ACCUMULATOR = "accumulator"
    ZERO_SIGN = "zero sign"


class Cause(str):
    """The parts in which two orders had to differ to give other bits.

    As a string it is its name, the parts joined by "+", as reports write it: "order+accumulator".
    The cause of no parts is empty: none was proved.
    """

    parts: tuple[Part, ...]

    def __new__(cls, parts: Iterable[Part]) -> Cause:
        """Return the cause made of these parts."""
        parts = tuple(parts)
        cause = super().__new__(cls, "+".join(part.value for part in parts))
        cause.parts = parts
        return cause


def differences(a: Order, b: Order) -> tuple[Part, ...]:
    """Return the parts in which two orders differ, in the order of `Part`.

    Where one side adds exact products, fused or not is one and the same there, so that fusing is
    no part of its own. A bias that joins elsewhere in the same tree of products is one; in another
    tree of products its place is part of the order.
    """
    one, other = a.arithmetic, b.arithmetic
    reshaped = a.tree.unfused() != b.tree.unfused()
    moved = reshaped and a.tree.has_bias and _products(a.tree) == _products(b.tree)
    exact_products = one.wide or other.wide
    differing = {
        Part.ORDER: reshaped and not moved,
        Part.FMA: not exact_products and _fused(a.tree, b.tree),
        Part.BIAS_POSITION: moved,
        Part.PRECISION: one.inputs != other.inputs,
        Part.ACCUMULATOR: _accumulation(one) != _accumulation(other),
        Part.ZERO_SIGN: one.zero_start != other.zero_start,
    }
    return tuple(part for part in Part if differing[part])


def changed(a: Order, b: Order, parts: Iterable[Part]) -> Order:
    """Return order A with some of its parts taken from B."""
    taken = set(parts)
    arithmetic, other = a.arithmetic, b.arithmetic
    if Part.PRECISION in taken:
        arithmetic = replace(arithmetic, inputs=other.inputs)
    if Part.ACCUMULATOR in taken:
        arithmetic = replace(
            arithmetic, accumulator=other.accumulator, early=other.early, guard=other.guard
        )
    if Part.ZERO_SIGN in taken:
        arithmetic = replace(arithmetic, zero_start=other.zero_start)
    tree = _changed_tree(a, b, taken)
    return Order(tree.unfused() if arithmetic.wide else tree, arithmetic)


def _changed_tree(a: Order, b: Order, taken: set[Part]) -> Tree:
    """Return A's tree with B's additions, or B's fused products, where these are taken."""
    if Part.BIAS_POSITION in taken and not _fused(a.tree, b.tree):
        return b.tree
    additions = b.tree if taken & {Part.ORDER, Part.BIAS_POSITION} else a.tree
    fusing = b.tree if Part.FMA in taken or a.arithmetic.wide else a.tree
    return additions.with_fused(fusing.fused_taps())


def _accumulation(arithmetic: Arithmetic) -> tuple[str, bool, int]:
    return arithmetic.accumulator, arithmetic.early, arithmetic.guard


def _fused(a: Tree, b: Tree) -> bool:
    """Whether other products are fused, not just one that meets the bias where that has moved."""
    moved = a.unfused() != b.unfused() and without_bias(a) == without_bias(b)
    return not moved and a.fused_taps() != b.fused_taps()


def _products(tree: Tree) -> Tree:
    return without_bias(tree).unfused()
