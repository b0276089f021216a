"""The cause of a difference, from counterfactual replays.

Side A's order and side B's differ in their tree, in which products are fused, in where the bias
joins, or in their rounding. What made the bits differ is found by changing one thing at a time in
A's order and replaying it: a change is the cause if it alone gives B's bits. Where none does, it
takes all that narrows numbers, or else all that differs, provided that this gives B's bits. Where a
sum starts, at its first product or at +0, is the sign of a zero and nothing else: it is left out
where the others give B's bits without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import identical, same_bits
from convdiff.order.counterfactual import NARROWING, Cause, Part, changed, differences
from convdiff.order.orders import Orders
from convdiff.order.replay.replay import Order, replay

#: The causes that are counted first: every part by itself, and the one pair with a name of its own.
FIRST_CAUSES = (
    Cause([Part.ORDER]),
    Cause([Part.FMA]),
    Cause([Part.ORDER, Part.FMA]),
    Cause([Part.BIAS_POSITION]),
    Cause([Part.PRECISION]),
    Cause([Part.ACCUMULATOR]),
    Cause([Part.STORED]),
    Cause([Part.NARROW_SUMS]),
    Cause([Part.BLOCKS]),
    Cause([Part.BEFORE_BIAS]),
    Cause([Part.OUTPUT]),
    Cause([Part.FLUSH]),
    Cause([Part.ZERO_SIGN]),
    Cause([Part.STEP]),
)

UNPROVEN = Cause(())

#: Pairs looked at together, which bounds memory.
_AT_ONCE = 1 << 18


_PARTS = tuple(Part)


@dataclass(frozen=True, eq=False)
class Attribution:
    """The cause of each differing pair.

    codes: (m,), one a pair: bit k is set where the k-th `Part` is needed. 0 is UNPROVEN: a side
    has no proven order, or B's bits are not reproduced from A's numbers.
    """

    codes: Array

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The cause of each pair."""
        return tuple(map(_cause, self.codes.tolist()))

    @property
    def counts(self) -> dict[Cause, int]:
        """Pairs of each cause, FIRST_CAUSES first, then others by name; unproven are left out."""
        codes, pairs = np.unique(self.codes, return_counts=True)
        counted = dict(zip(map(_cause, codes.tolist()), pairs.tolist(), strict=True))
        others = sorted(set(counted) - {UNPROVEN, *FIRST_CAUSES})
        return {cause: counted[cause] for cause in (*FIRST_CAUSES, *others) if cause in counted}

    @property
    def unproven(self) -> int:
        """Pairs that have no proven cause."""
        return len(self.codes) - int(np.count_nonzero(self.codes))


def _cause(code: int) -> Cause:
    return Cause(part for k, part in enumerate(_PARTS) if code >> k & 1)


def attribute(a: Orders, b: Orders, pairs_a: Array, pairs_b: Array) -> Attribution:
    """Return why the elements of each pair differ.

    pairs_a, pairs_b: (m,) flat indices into the (positions, cout) outputs of the two sides, aligned
    so that both elements of a pair add the same terms. Raises ValueError where taps differ.
    """
    if (a.geometry.taps, a.geometry.leaves) != (b.geometry.taps, b.geometry.leaves):
        raise ValueError("the two sides do not add the same number of terms")
    same = np.array_equal(pairs_a, pairs_b) and _same_terms(a, b)
    sides = a.which().reshape(-1), b.which().reshape(-1)
    codes = np.zeros(len(pairs_a), np.int16)
    for start in range(0, len(codes), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        here, there = pairs_a[some], pairs_b[some]
        which_a, which_b = sides[0][here], sides[1][there]
        for ka, kb in _meeting(which_a, which_b):
            if a.orders[ka].footprint != b.orders[kb].footprint:
                continue
            chosen = (which_a == ka) & (which_b == kb)
            theirs = b.orders[kb].order
            wanted = b.output.reshape(-1)[there[chosen]]
            pairs = _Pairs(a.seen_by(ka), here[chosen], wanted, theirs if same else None)
            codes[some][chosen] = _codes(a.orders[ka].order, theirs, pairs)
    return Attribution(codes)


def _same_terms(a: Orders, b: Orders) -> bool:
    """Return whether elements of one index have the same numbers as terms on both sides."""
    one, other = a.data, b.data
    if a.geometry != b.geometry or not identical(one.input_nhwc, other.input_nhwc):
        return False
    if one.bias is not None and other.bias is not None and not identical(one.bias, other.bias):
        return False
    return identical(one.filter_hwio, other.filter_hwio)


def _meeting(which_a: Array, which_b: Array) -> Iterator[tuple[int, int]]:
    """Yield the orders that pairs have, one of each side, where both have one."""
    proved = (which_a >= 0) & (which_b >= 0)
    both = which_a[proved].astype(np.int64) << 32 | which_b[proved]
    for k in np.unique(both).tolist():
        yield k >> 32, k & 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Elements of side A, (m,), whose counterparts have the bits `wanted`.

    proved: the order that was proved to give those bits from the same numbers; None where the
    counterparts' numbers are not A's.
    """

    side: Orders
    elements: Array
    wanted: Array
    proved: Order | None

    def given_by(self, order: Order) -> Array:
        """Return which elements' counterparts have the bits that the order gives here."""
        if order == self.proved:
            return np.ones(len(self.elements), bool)
        return same_bits(_at(order, self.side, self.elements), self.wanted)


def _codes(order_a: Order, order_b: Order, pairs: _Pairs) -> Array:
    """Return the code of each pair's cause, (m,)."""
    parts = differences(order_a, order_b)
    codes = np.zeros(len(pairs.elements), np.int16)
    if not parts:
        return codes

    def gives(taken: Iterable[Part]) -> Array:
        return pairs.given_by(changed(order_a, order_b, taken))

    together = gives(parts)
    alone = together[None]
    if len(parts) > 1:
        alone = np.stack([gives([part]) for part in parts])
    several = np.tile(together, (len(parts), 1))
    if len(parts) > 2 and Part.ZERO_SIGN in parts:
        several[parts.index(Part.ZERO_SIGN)] &= ~gives(set(parts) - {Part.ZERO_SIGN})
    # Where no part does it alone it takes several; where more than one does, either would do.
    needed = np.where(alone.any(axis=0), alone, several)
    narrowing = [part in NARROWING for part in parts]
    if 1 < sum(narrowing) < len(parts):  # else it would be said of order, too, and prove less
        by_them = ~alone.any(axis=0) & gives(NARROWING.intersection(parts))
        needed = np.where(by_them, np.array(narrowing)[:, None], needed)
    for part, does in zip(parts, needed, strict=True):
        codes[does] |= 1 << _PARTS.index(part)
    return codes


def _at(order: Order, side: Orders, elements: Array) -> Array:
    """Return the replay of an order at (m,) flat elements of a side."""
    index = np.divmod(elements, side.geometry.cout)
    used = tuple(map(_used, index, (side.geometry.positions, side.geometry.cout)))
    sums = replay(order, side.geometry, side.data, *map(np.flatnonzero, used))
    row, lane = (np.cumsum(mask)[k] - 1 for mask, k in zip(used, index, strict=True))
    chosen: Array = sums[row, lane]
    return chosen


def _used(index: Array, size: int) -> Array:
    """Return which of `size` indices occur."""
    mask = np.zeros(size, bool)
    mask[index] = True
    return mask
