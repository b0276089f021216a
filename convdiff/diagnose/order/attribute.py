"""The cause of a difference, from counterfactual replays.

Side A's order and side B's differ in their tree, in which products are fused, in where the bias
joins, or in their rounding. What made the bits differ is found by changing one thing at a time in
A's order and replaying it: a change is the cause if it alone gives B's bits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from convdiff.diagnose.order.arithmetic import Arithmetic
from convdiff.diagnose.order.explain import Explanation
from convdiff.diagnose.order.geometry import Array
from convdiff.diagnose.order.pruned import without_bias
from convdiff.diagnose.order.replay import Order, replay
from convdiff.diagnose.order.trials import same_bits

#: Every cause, in the order in which reports list them.
CAUSES = ("order", "fma", "order+fma", "bias position", "precision", "accumulator")


@dataclass(frozen=True, eq=False)
class Attribution:
    """The cause of each differing pair.

    causes: one a pair, '' where a side has no proven order. unproven: how many of those.
    """

    causes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Pairs of each cause, in the order of CAUSES; unproven pairs are left out."""
        found = Counter(self.causes)
        return {cause: found[cause] for cause in CAUSES if found[cause]}

    @property
    def unproven(self) -> int:
        """Pairs for which a side has no proven order."""
        return self.causes.count("")


def attribute(a: Explanation, b: Explanation, pairs_a: Array, pairs_b: Array) -> Attribution:
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


def _causes(
    a: Explanation, elements: Array, order_a: Order, order_b: Order, wanted: Array
) -> Array:
    """Return the cause of each element of side A, whose counterpart has the bits `wanted`."""
    settled = _whole_cause(order_a, order_b)
    if settled:
        return np.full(len(elements), settled, object)
    arithmetic = order_a.arithmetic
    other_fusing = Order(order_a.tree.with_fused(order_b.tree.fused_taps()), arithmetic)
    other_tree = Order(order_b.tree.with_fused(order_a.tree.fused_taps()), arithmetic)
    fma_alone = same_bits(_at(other_fusing, a, elements), wanted)
    order_alone = same_bits(_at(other_tree, a, elements), wanted)
    either = np.where(order_alone & ~fma_alone, "order", "order+fma")
    found: Array = np.where(fma_alone & ~order_alone, "fma", either).astype(object)
    return found


def _whole_cause(order_a: Order, order_b: Order) -> str:
    """Return the cause where the orders differ in one thing only; '' where replays must tell."""
    one, other = order_a.arithmetic, order_b.arithmetic
    if one.inputs != other.inputs:
        return "precision"
    if _sums(one) != _sums(other):
        return "accumulator"
    tree_a, tree_b = order_a.tree, order_b.tree
    if tree_a.unfused() == tree_b.unfused():
        return "fma"
    if tree_a.has_bias and without_bias(tree_a) == without_bias(tree_b):
        return "bias position"
    blind = one.wide or not (tree_a.fused_taps() or tree_b.fused_taps())
    return "order" if blind else ""


def _sums(arithmetic: Arithmetic) -> tuple[str, bool, int]:
    return arithmetic.accumulator, arithmetic.early, arithmetic.guard


def _at(order: Order, side: Explanation, elements: Array) -> Array:
    """Return the replay of an order at flat elements of a side."""
    positions, channels = np.divmod(elements, side.geometry.cout)
    rows, row = np.unique(positions, return_inverse=True)
    lanes, lane = np.unique(channels, return_inverse=True)
    sums = replay(order, side.geometry, side.data, rows, lanes)
    chosen: Array = sums[row, lane]
    return chosen
