"""The cause of a difference, from counterfactual replays.

Side A's order and side B's differ in their tree, in which products are fused, in where the bias
joins, or in their rounding. What made the bits differ is found by changing one thing at a time in
A's order and replaying it: a change is the cause if it alone gives B's bits. Where none does, it
takes all that narrows numbers, or else all that differs, provided that this gives B's bits. Where a
sum starts, at its first product or at +0, is the sign of a zero and nothing else: it is left out
where the others give B's bits without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
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
)

UNPROVEN = Cause(())


@dataclass(frozen=True, eq=False)
class Attribution:
    """The cause of each differing pair.

    causes: one a pair, UNPROVEN where a side has no proven order or B's bits are not reproduced
    from A's numbers.
    """

    causes: tuple[Cause, ...]

    @property
    def counts(self) -> dict[Cause, int]:
        """Pairs of each cause, FIRST_CAUSES first, then others by name; unproven are left out."""
        counted = Counter(self.causes)
        others = sorted(set(counted) - {UNPROVEN, *FIRST_CAUSES})
        return {cause: counted[cause] for cause in (*FIRST_CAUSES, *others) if counted[cause]}

    @property
    def unproven(self) -> int:
        """Pairs that have no proven cause."""
        return self.causes.count(UNPROVEN)


def attribute(a: Orders, b: Orders, pairs_a: Array, pairs_b: Array) -> Attribution:
    """Return why the elements of each pair differ.

    pairs_a, pairs_b: (m,) flat indices into the (positions, cout) outputs of the two sides, aligned
    so that both elements of a pair add the same terms. Raises ValueError where taps differ.
    """
    if (a.geometry.taps, a.geometry.leaves) != (b.geometry.taps, b.geometry.leaves):
        raise ValueError("the two sides do not add the same number of terms")
    causes = np.full(len(pairs_a), UNPROVEN, object)
    which_a, which_b = a.which().reshape(-1)[pairs_a], b.which().reshape(-1)[pairs_b]
    for ka, kb in sorted(set(zip(which_a.tolist(), which_b.tolist(), strict=True))):
        if ka >= 0 and kb >= 0 and a.orders[ka].footprint == b.orders[kb].footprint:
            chosen = np.flatnonzero((which_a == ka) & (which_b == kb))
            order_a, order_b = a.orders[ka].order, b.orders[kb].order
            wanted = b.output.reshape(-1)[pairs_b[chosen]]
            causes[chosen] = _causes(a.seen_by(ka), pairs_a[chosen], order_a, order_b, wanted)
    return Attribution(tuple(causes.tolist()))


def _causes(a: Orders, elements: Array, order_a: Order, order_b: Order, wanted: Array) -> Array:
    """Return the cause of each element of side A, whose counterpart has the bits `wanted`.

    elements, wanted: (m,); the causes are (m,) objects.
    """
    parts = differences(order_a, order_b)
    causes = np.full(len(elements), UNPROVEN, object)
    if not parts:
        return causes

    def gives(taken: Iterable[Part]) -> Array:
        return same_bits(_at(changed(order_a, order_b, taken), a, elements), wanted)

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
    for sets in np.unique(needed, axis=1).T:
        cause = Cause(part for part, does in zip(parts, sets, strict=True) if does)
        causes[(needed == sets[:, None]).all(axis=0)] = cause
    return causes


def _at(order: Order, side: Orders, elements: Array) -> Array:
    """Return the replay of an order at (m,) flat elements of a side."""
    positions, channels = np.divmod(elements, side.geometry.cout)
    rows, row = np.unique(positions, return_inverse=True)
    lanes, lane = np.unique(channels, return_inverse=True)
    sums = replay(order, side.geometry, side.data, rows, lanes)
    chosen: Array = sums[row, lane]
    return chosen
