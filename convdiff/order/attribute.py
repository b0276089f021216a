"""The cause of a difference, from counterfactual replays.

Side A's order and side B's differ in their tree, in which products are fused, in where the bias
joins, or in their rounding. What made the bits differ is found by changing one thing at a time in
A's order and replaying it: a change is the cause if it alone gives B's bits. Where none does, it
takes all that differs, provided that this gives B's bits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.counterfactual import PARTS, changed, differences
from convdiff.order.orders import Orders
from convdiff.order.replay.replay import Order, replay

#: Every cause by itself, and one pair that has a name of its own. Others that it takes several of
#: are joined by "+" in this order, as in "order+accumulator".
CAUSES = (*PARTS[:2], "order+fma", *PARTS[2:])


@dataclass(frozen=True, eq=False)
class Attribution:
    """The cause of each differing pair.

    causes: one a pair, '' where a side has no proven order or B's bits are not reproduced from A's
    numbers. unproven: how many of those.
    """

    causes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Pairs of each cause, in the order of CAUSES, then joined ones; unproven are left out."""
        found = Counter(self.causes)
        joined = sorted(cause for cause in found if cause and cause not in CAUSES)
        return {cause: found[cause] for cause in (*CAUSES, *joined) if found[cause]}

    @property
    def unproven(self) -> int:
        """Pairs that have no proven cause."""
        return self.causes.count("")


def attribute(a: Orders, b: Orders, pairs_a: Array, pairs_b: Array) -> Attribution:
    """Return why the elements of each pair differ.

    pairs_a, pairs_b: (m,) flat indices into the (positions, cout) outputs of the two sides, aligned
    so that both elements of a pair add the same terms. Raises ValueError where taps differ.
    """
    if (a.geometry.taps, a.geometry.leaves) != (b.geometry.taps, b.geometry.leaves):
        raise ValueError("the two sides do not add the same number of terms")
    causes = np.full(len(pairs_a), "", object)
    which_a, which_b = a.which().reshape(-1)[pairs_a], b.which().reshape(-1)[pairs_b]
    for ka, kb in sorted(set(zip(which_a.tolist(), which_b.tolist(), strict=True))):
        if ka >= 0 and kb >= 0:
            chosen = np.flatnonzero((which_a == ka) & (which_b == kb))
            order_a, order_b = a.orders[ka].order, b.orders[kb].order
            wanted = b.output.reshape(-1)[pairs_b[chosen]]
            causes[chosen] = _causes(a, pairs_a[chosen], order_a, order_b, wanted)
    return Attribution(tuple(causes.tolist()))


def _causes(a: Orders, elements: Array, order_a: Order, order_b: Order, wanted: Array) -> Array:
    """Return the cause of each element of side A, whose counterpart has the bits `wanted`."""
    parts = differences(order_a, order_b)
    causes = np.full(len(elements), "", object)
    if not parts:
        return causes

    def gives(*names: str) -> Array:
        return same_bits(_at(changed(order_a, order_b, names), a, elements), wanted)

    together = gives(*parts)
    alone = np.stack([gives(part) for part in parts]) if len(parts) > 1 else together[None]
    # Where no part does it alone it takes several; where more than one does, either would do.
    named = np.where(alone.any(axis=0), alone, together)
    for k, one in enumerate(named.T):
        causes[k] = "+".join(part for part, does in zip(parts, one, strict=True) if does)
    return causes


def _at(order: Order, side: Orders, elements: Array) -> Array:
    """Return the replay of an order at flat elements of a side."""
    positions, channels = np.divmod(elements, side.geometry.cout)
    rows, row = np.unique(positions, return_inverse=True)
    lanes, lane = np.unique(channels, return_inverse=True)
    sums = replay(order, side.geometry, side.data, rows, lanes)
    chosen: Array = sums[row, lane]
    return chosen
