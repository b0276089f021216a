"""What one order has that another has not, each of which can be changed alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    STORED = "rounded between blocks"
    NARROW_SUMS = "narrow sums"
    BLOCKS = "narrowed between blocks"
    BEFORE_BIAS = "narrowed before the bias"
    OUTPUT = "narrowed output"
    FLUSH = "flush to zero"
    ZERO_SIGN = "zero sign"
    STEP = "step"


NARROWING = frozenset(
    (
        Part.PRECISION,
        Part.NARROW_SUMS,
        Part.BLOCKS,
        Part.BEFORE_BIAS,
        Part.OUTPUT,
        Part.FLUSH,
    )
)
"""What no sum in the case's own format does: numbers are lost that it holds."""

_FIELDS: Mapping[Part, tuple[str, ...]] = {
    Part.PRECISION: ("inputs", "weights", "bias"),
    Part.ACCUMULATOR: ("accumulator", "early", "guard"),
    Part.NARROW_SUMS: ("accumulator", "early", "guard"),
    Part.STORED: ("total", "block", "level", "every"),
    Part.BLOCKS: ("total", "block", "level", "every"),
    Part.BEFORE_BIAS: ("before_bias",),
    Part.OUTPUT: ("output",),
    Part.FLUSH: ("flush",),
    Part.ZERO_SIGN: ("zero_start",),
}
"""The fields of an arithmetic that a part of it is made of."""


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
    narrow = one.accumulates_narrowly or other.accumulates_narrowly
    differing = {part: _of(one, part) != _of(other, part) for part in _FIELDS}
    differing[Part.NARROW_SUMS] &= narrow
    differing[Part.ACCUMULATOR] &= not narrow
    narrow = one.narrows_blocks or other.narrows_blocks
    differing[Part.BLOCKS] &= narrow
    differing[Part.STORED] &= not narrow
    differing |= {
        Part.ORDER: reshaped and not moved,
        Part.FMA: not exact_products and _fused(a.tree, b.tree),
        Part.BIAS_POSITION: moved,
        Part.STEP: a.step != b.step,
    }
    return tuple(part for part in Part if differing[part])


def _of(arithmetic: Arithmetic, part: Part) -> tuple[object, ...]:
    return tuple(getattr(arithmetic, name) for name in _FIELDS[part])


def changed(a: Order, b: Order, parts: Iterable[Part]) -> Order:
    """Return order A with some of its parts taken from B."""
    taken = set(parts)
    arithmetic = a.arithmetic
    for part in taken.intersection(_FIELDS):
        theirs = {name: getattr(b.arithmetic, name) for name in _FIELDS[part]}
        arithmetic = replace(arithmetic, **theirs)
    tree = _changed_tree(a, b, taken)
    step = b.step if Part.STEP in taken else a.step
    return Order(tree.unfused() if arithmetic.wide else tree, arithmetic, step)


def _changed_tree(a: Order, b: Order, taken: set[Part]) -> Tree:
    """Return A's tree with B's additions, or B's fused products, where these are taken."""
    if Part.BIAS_POSITION in taken and not _fused(a.tree, b.tree):
        return b.tree
    additions = b.tree if taken & {Part.ORDER, Part.BIAS_POSITION} else a.tree
    fusing = b.tree if Part.FMA in taken or a.arithmetic.wide else a.tree
    return additions.with_fused(fusing.fused_taps())


def _fused(a: Tree, b: Tree) -> bool:
    """Whether other products are fused, not just one that meets the bias where that has moved."""
    moved = a.unfused() != b.unfused() and without_bias(a) == without_bias(b)
    return not moved and a.fused_taps() != b.fused_taps()


def _products(tree: Tree) -> Tree:
    return without_bias(tree).unfused()
